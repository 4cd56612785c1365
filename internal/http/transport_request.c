/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One transfer: made from a request's description, told to its owner, taken apart.
 *
 * The model: everything that libcurl must know is set when the request is made, so that placing it
 * on a shard later can hardly fail. Its owner hears of it from two kinds of places: on_head and
 * on_data come from within libcurl, so whatever they make the owner do to requests is put off until
 * libcurl has returned; on_end comes only from the loop.
 *
 * Invariants:
 *   1. no byte reaches a header or a URL that could end it: text is checked against visible ASCII
 *      (and blanks, in header values) before libcurl, which checks nothing, sees it;
 *   2. on_end is the last callback and called once; a cancelled request calls nobody;
 *   3. the state is ENDED while on_end runs, so that cancelling from there is a no-op;
 *   4. the authorization header and the body are wiped before their memory goes back. (libcurl's
 *      own copies in its send buffers are out of reach.)
 *
 * Thread: the loop's.
 *
 * Does not: retry, follow, authenticate or interpret the status; that is the caller's.
 */
#include "http/transport_internal.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"

#define HEADER_MAX_BYTES ((size_t)32 << 10)
#define PATH_MAX_BYTES ((size_t)16 << 10)
/* 128 groups, and what else an identity can have. */
#define EXTRA_MAX 256
#define BODY_MAX_BYTES ((size_t)8 << 20)
/* libcurl allocates its receive buffer per transfer: small for the many that live long, large for
 * the few lists. Not below 16 KiB, a frame of HTTP/2, though that would save a call as much: with 4
 * KiB libcurl 7.88 gives out a body of 4 MB to its last byte, but never tells that it has ended
 * (test_transport.c sees it). */
#define WATCH_BUFFER_BYTES (16L << 10)
#define REQUEST_BUFFER_BYTES (64L << 10)

static const unsigned request_successors[] = {
#define TO(name) (1u << KS_REQUEST_##name)
#define X(name, next) [KS_REQUEST_##name] = (next),
    KS_REQUEST_STATES(X)
#undef X
#undef TO
};

void ks_request_set_state(struct ks_http_request *request, enum ks_request_state to)
{
    assert(request_successors[request->state] & (1u << to));
    if (request->shard && request->state == KS_REQUEST_SENT)
        request->shard->unanswered--;
    if (request->state == KS_REQUEST_QUEUED)
        request->http->lanes[request->lane].queued--;
    request->state = to;
    if (to == KS_REQUEST_SENT) {
        assert(request->shard);
        request->shard->unanswered++;
    }
    if (to == KS_REQUEST_QUEUED)
        request->http->lanes[request->lane].queued++;
}

/* Visible ASCII, and single blanks that are not at an end. */
static bool text_is_header_value(struct ks_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < ' ' || text.ptr[i] > '~')
            return false;
    }
    return text.len == 0 || (text.ptr[0] != ' ' && text.ptr[text.len - 1] != ' ');
}

static bool text_is_path(struct ks_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~' || text.ptr[i] == '#')
            return false;
    }
    return text.len > 0 && text.ptr[0] == '/';
}

static bool text_is_method(struct ks_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < 'A' || text.ptr[i] > 'Z')
            return false;
    }
    return text.len > 0;
}

static ks_rc check_value(const char *what, struct ks_str value, struct ks_error *err)
{
    if (value.len > HEADER_MAX_BYTES)
        return ks_fail(err, KS_RC_INVALID, "%s of %zu bytes is too long for a header", what,
                       value.len);
    if (!text_is_header_value(value))
        return ks_fail(err, KS_RC_INVALID,
                       "%s holds a byte that does not belong into a header; nothing was sent",
                       what);
    return KS_RC_OK;
}

/* A token of RFC 9110. */
static bool text_is_header_name(const char *text)
{
    return text[0] && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                   "!#$%&'*+-.^_`|~") == strlen(text);
}

/* libcurl leaves out a header without a value: a request that should act as somebody else would act
 * as us. */
static ks_rc check_extra(const struct ks_http_header *header, struct ks_error *err)
{
    if (!text_is_header_name(header->name))
        return ks_fail(err, KS_RC_INVALID, "an extra header has no proper name; nothing was sent");
    if (header->value.len == 0)
        return ks_fail(err, KS_RC_INVALID, "%s has no value; nothing was sent", header->name);
    return check_value(header->name, header->value, err);
}

static ks_rc request_check(const struct ks_http *http, const struct ks_http_request_config *config,
                           struct ks_error *err)
{
    const struct {
        const char *what;
        struct ks_str value;
    } values[] = {
        {"the Accept header", ks_str_from(config->accept)},
        {"the credential", config->authorization},
        {"the ETag", ks_str_from(config->if_none_match)},
        {"the content type", ks_str_from(config->content_type)},
    };
    const struct ks_str path = ks_str_from(config->path);

    for (size_t i = 0; i < KS_ARRAY_LEN(values); i++) {
        const ks_rc rc = check_value(values[i].what, values[i].value, err);

        if (rc)
            return rc;
    }
    for (size_t i = 0; i < config->extra_count; i++) {
        const ks_rc rc = check_extra(&config->extra[i], err);

        if (rc)
            return rc;
    }
    if (config->extra_count > EXTRA_MAX)
        return ks_fail(err, KS_RC_INVALID, "more than %d extra headers", EXTRA_MAX);
    if (!text_is_method(ks_str_from(config->method)))
        return ks_fail(err, KS_RC_INVALID, "an HTTP method is written in capital letters");
    if (path.len > PATH_MAX_BYTES || !text_is_path(path))
        return ks_fail(err, KS_RC_INVALID,
                       "the path of a request must begin with '/', be percent-encoded and have at "
                       "most %zu bytes",
                       PATH_MAX_BYTES);
    if (config->body.len > BODY_MAX_BYTES)
        return ks_fail(err, KS_RC_INVALID, "a body of %zu bytes is over the limit of %zu",
                       config->body.len, BODY_MAX_BYTES);
    if (config->may_compress && config->lane == KS_HTTP_LANE_WATCH)
        return ks_fail(err, KS_RC_INVALID, "a watch must not be compressed");
    if (config->authorization.len && !http->is_tls)
        return ks_fail(err, KS_RC_INVALID, "no credential is sent to %s without TLS", http->where);
    return KS_RC_OK;
}

/* Appends "name: value"; the copy made on the way is wiped. */
static ks_rc headers_add(struct curl_slist **headers, const char *name, struct ks_str value)
{
    struct curl_slist *longer = NULL;
    struct ks_buf line;
    ks_rc rc;

    ks_buf_init(&line, HEADER_MAX_BYTES + 64);
    /* Once, so that no half-grown copy is left behind. */
    rc = ks_buf_reserve(&line, strlen(name) + 2 + value.len);
    if (!rc)
        rc = ks_buf_appendf(&line, "%s: ", name);
    if (!rc)
        rc = ks_buf_append_str(&line, value);
    if (!rc)
        longer = curl_slist_append(*headers, line.data);
    if (line.data)
        explicit_bzero(line.data, line.len);
    ks_buf_fini(&line);
    if (!longer)
        return KS_RC_NOMEM;
    *headers = longer;
    return KS_RC_OK;
}

static void headers_free(struct curl_slist *headers)
{
    for (struct curl_slist *h = headers; h; h = h->next)
        explicit_bzero(h->data, strlen(h->data));
    curl_slist_free_all(headers);
}

static ks_rc request_build_headers(struct ks_http_request *request,
                                   const struct ks_http_request_config *config)
{
    const struct ks_http *http = request->http;
    const struct {
        const char *name;
        struct ks_str value;
    } values[] = {
        {"Accept", config->accept ? ks_str_from(config->accept) : KS_LIT("application/json")},
        {"Accept-Encoding", request->may_compress ? (struct ks_str){0} : KS_LIT("identity")},
        {"Authorization", config->authorization},
        {"If-None-Match", ks_str_from(config->if_none_match)},
        {"Content-Type", config->body.len ? ks_str_from(config->content_type) : (struct ks_str){0}},
    };
    struct curl_slist *longer;

    for (size_t i = 0; i < KS_ARRAY_LEN(values); i++) {
        if (values[i].value.len && headers_add(&request->headers, values[i].name, values[i].value))
            return KS_RC_NOMEM;
    }
    for (size_t i = 0; i < config->extra_count; i++) {
        if (headers_add(&request->headers, config->extra[i].name, config->extra[i].value))
            return KS_RC_NOMEM;
    }
    /* Without the value libcurl leaves a header out: no waiting for "100 Continue" before a body.
     */
    longer = curl_slist_append(request->headers, "Expect:");
    if (!longer)
        return KS_RC_NOMEM;
    request->headers = longer;
    if (!http->host_header)
        return KS_RC_OK;
    longer = curl_slist_append(request->headers, http->host_header);
    if (!longer)
        return KS_RC_NOMEM;
    request->headers = longer;
    return KS_RC_OK;
}

/* The end of the header block, each time: of an interim answer, of the answer, and of trailers. */
static size_t request_take_head(struct ks_http_request *request, size_t len)
{
    struct ks_http_head head = {.retry_after_s = -1};
    struct curl_header *header;
    const char *type = NULL;
    long status = 0;
    int64_t left_ms;

    (void)curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status); /* stays 0 */
    if (status < 200)
        return len;
    ks_request_set_state(request, KS_REQUEST_ANSWERED);
    left_ms = request->sent_ms + request->timeout_ms - ks_loop_now_ms(request->http->loop);
    ks_timer_start(&request->timer, left_ms);
    ks_shard_note_answer(request->shard, request->easy);

    if (!request->may_compress &&
        curl_easy_header(request->easy, "Content-Encoding", 0, CURLH_HEADER, -1, &header) ==
            CURLHE_OK &&
        !ks_str_is(ks_str_from(header->value), "identity"))
        return 0; /* ends the transfer with CURLE_WRITE_ERROR */
    (void)curl_easy_getinfo(request->easy, CURLINFO_CONTENT_TYPE, &type); /* stays NULL */
    head.status = (int)status;
    head.content_type = ks_str_from(type);
    if (curl_easy_header(request->easy, "ETag", 0, CURLH_HEADER, -1, &header) == CURLHE_OK)
        head.etag = ks_str_from(header->value);
    if (curl_easy_header(request->easy, "Retry-After", 0, CURLH_HEADER, -1, &header) == CURLHE_OK &&
        (!ks_str_to_int64(ks_str_from(header->value), &head.retry_after_s) ||
         head.retry_after_s < 0))
        head.retry_after_s = -1;
    request->ops->on_head(request->ctx, &head); /* may have cancelled it */
    return len;
}

static size_t on_header(char *line, size_t size, size_t count, void *ctx)
{
    struct ks_http_request *request = ctx;
    const size_t len = size * count;

    if (request->state == KS_REQUEST_CANCELLED)
        return len;
    ks_shard_note_bytes(request->shard, request);
    if (request->state != KS_REQUEST_SENT || len == 0 || (line[0] != '\r' && line[0] != '\n'))
        return len;
    return request_take_head(request, len);
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
    struct ks_http_request *request = ctx;
    const size_t len = size * count;

    if (request->state == KS_REQUEST_CANCELLED)
        return len;
    ks_shard_note_bytes(request->shard, request);
    request->ops->on_data(request->ctx, ks_str_make(data, len)); /* may have cancelled it */
    return len;
}

static void on_deadline(struct ks_timer *timer)
{
    struct ks_http_request *request = KS_CONTAINER_OF(timer, struct ks_http_request, timer);
    struct ks_shard *shard = request->shard;
    struct ks_http_result result = {
        .rc = KS_RC_TIMEOUT,
        .is_before_head = request->state == KS_REQUEST_SENT,
    };
    const bool is_lost_watch = !result.is_before_head && request->lane == KS_HTTP_LANE_WATCH;
    const bool is_probe = shard->probe == request;
    const int64_t waited_ms = ks_loop_now_ms(request->http->loop) - request->sent_ms;

    (void)ks_fail(&result.error, result.rc,
                  result.is_before_head ? "%s: no answer within %lld ms"
                                        : "%s: the answer did not end within %lld ms",
                  request->http->where, (long long)waited_ms);
    ks_request_end(request, &result);
    /* A server ends its watches in time: what outlives that comes from a connection that is dead.
     */
    if (is_lost_watch) {
        (void)ks_fail(&result.error, KS_RC_IO,
                      "%s: the connection is dead: a watch on it never ended", shard->http->where);
        result.rc = KS_RC_IO;
        ks_shard_judge(shard, CURLE_OPERATION_TIMEDOUT, &result);
    } else if (!is_probe) {
        ks_shard_suspect(shard);
    }
}

static CURLcode set_tls(CURL *easy, const struct ks_http *http)
{
    const struct {
        CURLoption option;
        char *pem;
    } blobs[] = {
        {CURLOPT_CAINFO_BLOB, http->ca_pem},
        {CURLOPT_SSLCERT_BLOB, http->cert_pem},
        {CURLOPT_SSLKEY_BLOB, http->key_pem},
    };
    CURLcode rc = CURLE_OK;

    for (size_t i = 0; i < KS_ARRAY_LEN(blobs); i++) {
        struct curl_blob blob = {.data = blobs[i].pem, .flags = CURL_BLOB_NOCOPY};

        if (!blob.data)
            continue;
        blob.len = strlen(blobs[i].pem);
        rc = rc ? rc : curl_easy_setopt(easy, blobs[i].option, &blob);
    }
    /* The system's directory of authorities would be asked beside the bundle. */
    if (http->ca_pem)
        rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_SSLCERTTYPE, "PEM");
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_SSLKEYTYPE, "PEM");
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, http->is_insecure ? 0L : 1L);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, http->is_insecure ? 0L : 2L);
    return rc;
}

/* All of it only to make sure that nothing happens which we did not ask for. */
static CURLcode set_restraints(CURL *easy, const struct ks_http *http)
{
    const char *scheme = http->is_tls ? "https" : "http";
    CURLcode rc = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, scheme);

    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, scheme);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_MAXREDIRS, 0L);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_HTTPAUTH, 0L);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_UNRESTRICTED_AUTH, 0L);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_PROXY, http->proxy_url);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    /* Name resolution is a thread: do not wait for it when a request is dropped. */
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    return rc;
}

static CURLcode set_transfer(struct ks_http_request *request, const char *url, const char *method)
{
    const struct ks_http *http = request->http;
    CURL *easy = request->easy;
    const bool is_watch = request->lane == KS_HTTP_LANE_WATCH;
    CURLcode rc = curl_easy_setopt(easy, CURLOPT_URL, url);

    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_CONNECT_TO, http->connect_to);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
    rc = rc ? rc
            : curl_easy_setopt(easy, CURLOPT_BUFFERSIZE,
                               is_watch ? WATCH_BUFFER_BYTES : REQUEST_BUFFER_BYTES);
    rc =
        rc ? rc : curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)http->connect_timeout_ms);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_USERAGENT, http->user_agent);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_HTTPHEADER, request->headers);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_HEADERDATA, request);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request->http->curl_error);
    if (request->may_compress)
        rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    if (request->body) {
        rc =
            rc ? rc
               : curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
        rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body);
    }
    return rc ? rc : curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
}

static ks_rc request_build(struct ks_http_request *request,
                           const struct ks_http_request_config *config)
{
    struct ks_buf url;
    CURLcode code = CURLE_OUT_OF_MEMORY;

    request->easy = curl_easy_init();
    if (!request->easy || request_build_headers(request, config))
        return KS_RC_NOMEM;
    if (config->body.len) {
        request->body = ks_memdup0(config->body.ptr, config->body.len);
        request->body_len = config->body.len;
        if (!request->body)
            return KS_RC_NOMEM;
    }
    ks_buf_init(&url, strlen(request->http->base_url) + PATH_MAX_BYTES);
    if (!ks_buf_append_str(&url, ks_str_from(request->http->base_url)) &&
        !ks_buf_append_str(&url, ks_str_from(config->path)))
        code = set_transfer(request, url.data, config->method);
    ks_buf_fini(&url);
    code = code ? code : set_restraints(request->easy, request->http);
    code = code ? code : set_tls(request->easy, request->http);
    if (code == CURLE_OK)
        return KS_RC_OK;
    return code == CURLE_OUT_OF_MEMORY ? KS_RC_NOMEM : KS_RC_INTERNAL;
}

ks_rc ks_request_new(struct ks_http *http, const struct ks_http_request_config *config,
                     struct ks_http_request **out, struct ks_error *err)
{
    struct ks_http_request *request;
    ks_rc rc = request_check(http, config, err);

    if (rc)
        return rc;
    request = ks_alloc0(sizeof(*request));
    if (!request)
        return ks_fail(err, KS_RC_NOMEM, "request to %s: out of memory", http->where);
    request->http = http;
    request->lane = config->lane;
    request->ops = config->ops;
    request->ctx = config->ctx;
    request->may_compress = config->may_compress;
    request->timeout_ms = config->timeout_ms ? config->timeout_ms : 75000;
    request->head_timeout_ms = config->head_timeout_ms ? config->head_timeout_ms : 65000;
    if (request->head_timeout_ms > request->timeout_ms)
        request->head_timeout_ms = request->timeout_ms;
    ks_list_init(&request->link);
    ks_timer_init(&request->timer, http->loop, on_deadline);
    http->requests++;
    rc = request_build(request, config);
    if (rc) {
        ks_request_free(request);
        return ks_fail(err, rc, "request to %s: %s", http->where, ks_rc_text(rc));
    }
    *out = request;
    return KS_RC_OK;
}

void ks_request_free(struct ks_http_request *request)
{
    assert(!request->shard && ks_list_is_empty(&request->link));
    ks_timer_stop(&request->timer);
    request->http->requests--;
    curl_easy_cleanup(request->easy);
    headers_free(request->headers);
    ks_free_secret(request->body, request->body_len);
    ks_free(request);
}

void ks_request_note_sent(struct ks_http_request *request)
{
    ks_request_set_state(request, KS_REQUEST_SENT);
    request->sent_ms = ks_loop_now_ms(request->http->loop);
    ks_timer_start(&request->timer, request->head_timeout_ms);
}

void ks_request_end(struct ks_http_request *request, const struct ks_http_result *result)
{
    ks_request_set_state(request, KS_REQUEST_ENDED);
    ks_timer_stop(&request->timer);
    if (request->shard)
        ks_shard_remove(request->shard, request);
    ks_list_remove(&request->link);
    request->ops->on_end(request->ctx, result);
    ks_request_free(request);
}

void ks_request_end_transfer(struct ks_http_request *request, CURLcode code)
{
    struct ks_shard *shard = request->shard;
    struct ks_http_result result = {.is_before_head = request->state == KS_REQUEST_SENT};

    ks_http_explain(request->http, request->easy, code, &result);
    request->http->curl_error[0] = '\0';
    ks_request_end(request, &result);
    ks_shard_judge(shard, code, &result);
}
