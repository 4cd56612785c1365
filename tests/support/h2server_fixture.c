/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fixture of the transport's tests; see h2server_fixture.h.
 *
 * Invariant: each callback asserts the transport's promises: the head once and first, one end,
 * nothing after it.
 *
 * Thread: the test's.
 */
#include "support/h2server_fixture.h"

#include <dirent.h>

struct h2server_cert fixture_certs;

void call_cancel(struct call *c)
{
    struct ks_http_request *request = KS_TAKE(c->request);

    ks_http_cancel(request);
}

static void on_head(void *ctx, const struct ks_http_head *head)
{
    struct call *c = ctx;

    assert_non_null(c->request);
    assert_int_equal(c->heads, 0);
    c->heads++;
    c->status = head->status;
    c->retry_after_s = head->retry_after_s;
    (void)snprintf(c->etag, sizeof(c->etag), "%.*s", KS_STR_ARGS(head->etag));
    (void)snprintf(c->content_type, sizeof(c->content_type), "%.*s",
                   KS_STR_ARGS(head->content_type));
    if (c->to_cancel_on_head)
        call_cancel(c->to_cancel_on_head);
}

static void on_data(void *ctx, struct ks_str bytes)
{
    struct call *c = ctx;

    assert_non_null(c->request);
    assert_int_equal(c->heads, 1);
    assert_int_equal(ks_buf_append_str(&c->body, bytes), KS_RC_OK);
    if (c->to_cancel_on_data)
        call_cancel(c->to_cancel_on_data);
}

static void on_end(void *ctx, const struct ks_http_result *result)
{
    struct call *c = ctx;

    assert_non_null(c->request);
    assert_int_equal(c->ends, 0);
    c->ends++;
    c->result = *result;
    if (c->to_cancel_on_end)
        call_cancel(c->to_cancel_on_end);
    if (c->to_start_on_end)
        call_start(c->f, c->to_start_on_end, KS_HTTP_LANE_REQUEST, "/second");
    c->request = NULL;
}

static const struct ks_http_ops ops = {.on_head = on_head, .on_data = on_data, .on_end = on_end};

struct ks_http_request_config call_config(struct call *c, ks_http_lane lane, const char *path)
{
    return (struct ks_http_request_config){
        .lane = lane,
        .method = "GET",
        .path = path,
        .authorization = KS_LIT("Bearer abc.def"),
        .head_timeout_ms = PATIENCE_MS,
        .timeout_ms = PATIENCE_MS,
        .ops = &ops,
        .ctx = c,
    };
}

static void call_init(struct fixture *f, struct call *c)
{
    c->f = f;
    ks_buf_init(&c->body, (size_t)16 << 20);
}

void call_start_config(struct fixture *f, struct call *c,
                       const struct ks_http_request_config *config)
{
    struct ks_error err = {0};

    if (ks_http_start(f->http, config, &c->request, &err))
        fail_msg("%s", err.msg);
}

void call_start(struct fixture *f, struct call *c, ks_http_lane lane, const char *path)
{
    const struct ks_http_request_config config = call_config(c, lane, path);

    call_start_config(f, c, &config);
}

/* Turns the loop until the condition holds. */
void fixture_run_until(struct fixture *f, bool (*holds)(struct fixture *f, int64_t arg),
                       int64_t arg)
{
    const int64_t end_ms = ks_loop_now_ms(f->loop) + PATIENCE_MS;

    while (!holds(f, arg)) {
        assert_true(ks_loop_now_ms(f->loop) < end_ms);
        (void)ks_loop_turn_wait(f->loop, 5);
    }
}

void fixture_run_a_little(struct fixture *f)
{
    for (int i = 0; i < 20; i++)
        (void)ks_loop_turn_wait(f->loop, 5);
}

bool one_has_head(struct fixture *f, int64_t index)
{
    return f->many[index].heads > 0;
}

bool one_has_data(struct fixture *f, int64_t index)
{
    return f->many[index].body.len > 0;
}

bool one_ended(struct fixture *f, int64_t index)
{
    return !f->many[index].request;
}

bool all_ended(struct fixture *f, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        if (f->many[i].request)
            return false;
    }
    return true;
}

bool all_have_heads(struct fixture *f, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        if (!f->many[i].heads)
            return false;
    }
    return true;
}

bool all_have_data(struct fixture *f, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        if (!f->many[i].body.len)
            return false;
    }
    return true;
}

bool server_holds(struct fixture *f, int64_t count)
{
    return h2server_count(f->server).held >= count;
}

bool server_has_streams(struct fixture *f, int64_t count)
{
    return h2server_count(f->server).streams == count;
}

bool server_has_resets(struct fixture *f, int64_t count)
{
    return h2server_count(f->server).resets >= count;
}

bool server_has_connections(struct fixture *f, int64_t count)
{
    return h2server_count(f->server).connections == count;
}

bool server_saw_requests(struct fixture *f, int64_t count)
{
    return h2server_count(f->server).requests >= count;
}

struct ks_http_stats fixture_stats(struct fixture *f)
{
    struct ks_http_stats s;

    ks_http_get_stats(f->http, &s);
    return s;
}

bool has_shards(struct fixture *f, int64_t count)
{
    return fixture_stats(f).shards == count;
}

void fixture_open(struct fixture *f)
{
    struct ks_error err = {0};

    if (ks_http_new(f->loop, &f->config, &f->http, &err))
        fail_msg("%s", err.msg);
}

void fixture_init(struct fixture *f, const struct h2server_config *server)
{
    struct h2server_config config = *server;

    memset(f, 0, sizeof(*f));
    config.cert = config.cert ? config.cert : fixture_certs.cert;
    config.key = fixture_certs.key;
    f->server = h2server_start(&config);
    assert_int_equal(ks_loop_new(&ks_clock_real, &f->loop, NULL), KS_RC_OK);
    (void)snprintf(f->url, sizeof(f->url), "%s://127.0.0.1:%d",
                   config.protocol == H2SERVER_HTTP1_PLAIN ? "http" : "https",
                   h2server_port(f->server));
    f->config = (struct ks_http_config){
        .url = f->url,
        .ca_pem = fixture_certs.ca,
        .user_agent = "test/1",
        .probe_path = "/version",
    };
    for (int i = 0; i < MANY; i++)
        call_init(f, &f->many[i]);
}

struct fixture *fixture_new(void)
{
    struct fixture *f = ks_alloc0(sizeof(*f));

    assert_non_null(f);
    fixture_init(f, &(struct h2server_config){.protocol = H2SERVER_H2});
    fixture_open(f);
    return f;
}

void fixture_free(struct fixture *f)
{
    f->http = ks_http_free(f->http);
    if (f->server)
        h2server_stop(f->server);
    f->loop = ks_loop_free(f->loop);
    for (int i = 0; i < MANY; i++)
        ks_buf_fini(&f->many[i].body);
    ks_free(f);
}

int fixture_count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;

    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

bool call_has(const struct call *c, const char *text)
{
    return c->body.data && strstr(c->body.data, text);
}

int fixture_set_up(void **state)
{
    (void)state;
    h2server_cert_init(&fixture_certs, "test authority");
    return 0;
}

int fixture_tear_down(void **state)
{
    (void)state;
    h2server_cert_fini(&fixture_certs);
    return 0;
}
