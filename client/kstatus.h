/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libkstatus: the C client of kstatusd.
 *
 * A client is a connection to one server. On it: watches (a stream of responses, by callback or by
 * asking for the next one) and blocking calls. Messages are protobuf-c structs of kstatus.v1, so
 * nothing of the API is hidden.
 *
 * Thread: a client and its watches may be used from any thread; callbacks come on the client's own
 * thread, one at a time.  Owns: what `_new` and `_open` return, until `_free`; a response belongs
 * to whoever got it from kstatus_watch_next, kstatus_get or kstatus_wait and goes back with its
 * free call. Borrows: every argument, for the call only. Limits: a message of at most 64 MiB; a
 * watch holds one response that was not taken yet, the rest waits at the server (which merges
 * updates of one object and counts them).
 *
 * Connections are not encrypted: use loopback, a Unix socket, or a network that you trust.
 * http_proxy is not asked: it is for the web.
 *
 * Do not fork after kstatus_client_new (a limit of gRPC).
 */
#ifndef KSTATUS_H
#define KSTATUS_H

#include <stddef.h>
#include <stdint.h>

#include <kstatus/v1/status_service.pb-c.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KSTATUS_API __attribute__((visibility("default")))

/* The codes of gRPC, and what this library makes of them. */
enum kstatus_code {
    KSTATUS_OK = 0,
    KSTATUS_CANCELLED = 1,
    KSTATUS_UNKNOWN = 2,
    KSTATUS_INVALID_ARGUMENT = 3,
    KSTATUS_DEADLINE_EXCEEDED = 4, /* also: kstatus_watch_next found nothing in time; ask again */
    KSTATUS_NOT_FOUND = 5,
    KSTATUS_PERMISSION_DENIED = 7,
    KSTATUS_RESOURCE_EXHAUSTED = 8, /* also: out of memory */
    KSTATUS_ABORTED = 10,
    KSTATUS_UNIMPLEMENTED = 12,
    KSTATUS_INTERNAL = 13,
    KSTATUS_UNAVAILABLE = 14, /* not reachable, or shutting down */
    KSTATUS_DATA_LOSS = 15,   /* the stream's sequence numbers have a gap */
    KSTATUS_UNAUTHENTICATED = 16,
};

/* code is a gRPC status code; message is UTF-8 for people, cut if need be. */
struct kstatus_error {
    int code;
    char message[1024];
};

struct kstatus_client;
struct kstatus_watch;

/* Set size to sizeof(struct kstatus_client_config), so that later versions can add members. */
struct kstatus_client_config {
    size_t size;
    const char
        *address; /* "HOST:PORT", "unix:PATH", or any gRPC target, e.g. "dns:///kstatusd:7443" */
    const char *user_agent; /* put before the library's own; NULL: none */
};

/* Does not connect yet. Returns KSTATUS_OK, or the code in error (which may be NULL). */
KSTATUS_API int kstatus_client_new(const struct kstatus_client_config *config,
                                   struct kstatus_client **out, struct kstatus_error *error);
/* All its watches and follows must have been freed. Not from a callback. NULL is allowed. */
KSTATUS_API void kstatus_client_free(struct kstatus_client *client);

struct kstatus_watch_callbacks {
    size_t size; /* sizeof(struct kstatus_watch_callbacks) */
    /* Lent for the call. The next one comes when this returns. */
    void (*on_response)(void *ctx, const Kstatus__V1__WatchResponse *response);
    /* Once, last. error->code is KSTATUS_OK when the server ended the stream as asked. */
    void (*on_end)(void *ctx, const struct kstatus_error *error);
};

/* With callbacks: they come until on_end, and *out is set before the first one. Without (NULL): use
 * kstatus_watch_next. */
KSTATUS_API int kstatus_watch_open(struct kstatus_client *client,
                                   const Kstatus__V1__WatchRequest *request,
                                   const struct kstatus_watch_callbacks *callbacks, void *ctx,
                                   struct kstatus_watch **out, struct kstatus_error *error);
/*
 * Waits for the next response, at most timeout_ms (negative: for ever). Returns KSTATUS_OK with
 * *out; KSTATUS_DEADLINE_EXCEEDED when nothing came in time (error->message is empty); any other
 * code when the stream has ended: KSTATUS_OK with *out NULL is its regular end.
 */
KSTATUS_API int kstatus_watch_next(struct kstatus_watch *watch, int64_t timeout_ms,
                                   Kstatus__V1__WatchResponse **out, struct kstatus_error *error);
/* Ends the stream; the end is told as KSTATUS_CANCELLED. From any thread, at any time, repeatedly.
 */
KSTATUS_API void kstatus_watch_cancel(struct kstatus_watch *watch);
/* Cancels, and returns when no callback runs any more; from within a callback it returns at once.
 * NULL is allowed. */
KSTATUS_API void kstatus_watch_free(struct kstatus_watch *watch);

/*
 * A watch that outlives its streams, and its server. A stream that is lost is opened again, after a
 * while that grows and has some chance in it, or as long as the server has asked for; the new
 * stream's snapshot is compared with what was told, and only what differs is told again: an object
 * that changed, with the status that was told as its previous one; an object that is not there any
 * more, as Removed. Accepted and Synced are told once; Draining only to who gives up. Sequence
 * numbers have no gap across streams.
 *
 * A request with `until` begins its times anew with each stream.
 */
struct kstatus_follow;

struct kstatus_follow_callbacks {
    size_t size; /* sizeof(struct kstatus_follow_callbacks) */
    /* Lent for the call. The next one comes when this returns. */
    void (*on_response)(void *ctx, const Kstatus__V1__WatchResponse *response);
    /* Once, last: the server has ended the stream as asked (KSTATUS_OK), or refuses it, or was not
     * there in the first place. */
    void (*on_end)(void *ctx, const struct kstatus_error *error);
    /* May be NULL. With an error: the stream is lost, and tried again after retry_ms. NULL: a new
     * one is there. */
    void (*on_connection)(void *ctx, const struct kstatus_error *error, int64_t retry_ms);
    int gives_up; /* not 0: a stream that is lost is the end, as of a watch */
};

/* Callbacks as of a watch, on the client's thread, one at a time. *out is set before the first. */
KSTATUS_API int kstatus_follow_open(struct kstatus_client *client,
                                    const Kstatus__V1__WatchRequest *request,
                                    const struct kstatus_follow_callbacks *callbacks, void *ctx,
                                    struct kstatus_follow **out, struct kstatus_error *error);
/* Returns when no callback runs any more; from within a callback it returns at once. NULL is
 * allowed. */
KSTATUS_API void kstatus_follow_free(struct kstatus_follow *follow);

/* One snapshot; blocks. */
KSTATUS_API int kstatus_get(struct kstatus_client *client, const Kstatus__V1__GetRequest *request,
                            int64_t timeout_ms, Kstatus__V1__GetResponse **out,
                            struct kstatus_error *error);
/* Waits until the request's `until` is decided; blocks. KSTATUS_OK whatever the verdict: see
 * (*out)->outcome. timeout_ms negative: for as long as it takes; else the server answers a little
 * before. */
KSTATUS_API int kstatus_wait(struct kstatus_client *client, const Kstatus__V1__WaitRequest *request,
                             int64_t timeout_ms, Kstatus__V1__WaitResponse **out,
                             struct kstatus_error *error);
/* Whether the server says SERVING; KSTATUS_UNAVAILABLE otherwise. Blocks. */
KSTATUS_API int kstatus_check_health(struct kstatus_client *client, int64_t timeout_ms,
                                     struct kstatus_error *error);

/* NULL is allowed. */
KSTATUS_API void kstatus_watch_response_free(Kstatus__V1__WatchResponse *response);
KSTATUS_API void kstatus_get_response_free(Kstatus__V1__GetResponse *response);
KSTATUS_API void kstatus_wait_response_free(Kstatus__V1__WaitResponse *response);

/* "0.1.0" */
KSTATUS_API const char *kstatus_version(void);

#ifdef __cplusplus
}
#endif

#endif
