/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server that says what a test told it to: HTTP/1.1 without TLS on loopback, one answer a path,
 * on a thread of its own. For tests of what stands above the transport; h2server.h is for the
 * transport itself.
 *
 * Thread: functions are called from the test's thread, and have taken effect when they return.
 * Limits: 64 answers, 512 remembered requests, 64 connections.
 */
#ifndef KS_TESTS_SUPPORT_SCRIPT_SERVER_H
#define KS_TESTS_SUPPORT_SCRIPT_SERVER_H

#include <stdbool.h>
#include <stddef.h>

struct script_server;

struct script_answer {
    const char *path; /* and query; borrowed, as are all the others */
    int status;
    const char *body;    /* NULL: none */
    const char *headers; /* "Name: value\r\n..." or NULL; Content-Length is added */
    const char *accept; /* NULL: for any request; else only for those whose Accept begins with it */
};

/* Fails the test when it cannot listen. */
struct script_server *script_server_start(void);
void script_server_stop(struct script_server *s);
/* "http://127.0.0.1:port" */
const char *script_server_url(const struct script_server *s);

/* Replaces the answer for the same path and accept. A path without an answer gets 404 in plain
 * text. A status of 0 closes the connection without an answer. */
void script_server_set(struct script_server *s, const struct script_answer *answer);
/* Closes the listening socket and all connections; true opens it again on the same port. */
void script_server_set_up(struct script_server *s, bool is_up);

/* Requests for that path so far; NULL: for any. */
unsigned script_server_count(struct script_server *s, const char *path);
/* Whether the last request for that path had that header line ("Name: value"). */
bool script_server_had_header(struct script_server *s, const char *path, const char *line);

#endif
