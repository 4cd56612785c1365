/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections and the listener as kubesim's cluster knows them. One client has one connection that
 * is there whenever the wire is up; when it is killed, all its requests break.
 *
 * Thread: the loop's.  It does not: speak HTTP/2. GOAWAY lets running streams go on, and the client
 * connects anew: here that is nothing to be seen.
 */
#include "convergence/wire_internal.h"

void sim_conn_kill(struct sim_conn *c, enum sim_conn_state how KS_UNUSED)
{
    struct ks_http *http = KS_CONTAINER_OF(c, struct ks_http, conn);

    KS_LIST_FOREACH(link, &http->requests)
    {
        wire_request_break(KS_CONTAINER_OF(link, struct ks_http_request, link));
    }
}

void sim_conn_goaway(struct sim_conn *c KS_UNUSED, uint32_t h2_error_code KS_UNUSED,
                     int32_t last_stream_id KS_UNUSED)
{
}

/* Half dead is found out to be dead, sooner or later. */
void sim_conn_stall(struct sim_conn *c, int64_t for_ms KS_UNUSED)
{
    sim_conn_kill(c, SIM_CONN_DEAD_RESET);
}

const char *sim_server_address(const struct sim_server *s KS_UNUSED)
{
    return "wire:443";
}

void sim_server_stats(const struct sim_server *s KS_UNUSED, struct sim_server_stats *out)
{
    *out = (struct sim_server_stats){.open = the_wire.stats.open};
}

ks_rc sim_server_listen(struct sim_server *s KS_UNUSED, struct ks_error *err KS_UNUSED)
{
    wire_set_down(false);
    return KS_RC_OK;
}

void sim_server_unlisten(struct sim_server *s KS_UNUSED)
{
    wire_set_down(true);
}

void sim_server_accept_pause(struct sim_server *s)
{
    sim_server_unlisten(s);
}

void sim_server_accept_resume(struct sim_server *s KS_UNUSED)
{
    wire_set_down(false);
}

void sim_server_foreach(struct sim_server *s KS_UNUSED, void (*fn)(void *ctx, struct sim_conn *c),
                        void *ctx)
{
    KS_LIST_FOREACH(link, &the_wire.clients)
    {
        fn(ctx, &KS_CONTAINER_OF(link, struct ks_http, link)->conn);
    }
}

void sim_server_set_max_streams(struct sim_server *s KS_UNUSED, uint32_t max_streams KS_UNUSED)
{
}

static void conn_drop(void *ctx KS_UNUSED, struct sim_conn *c)
{
    sim_conn_kill(c, SIM_CONN_DEAD_RESET);
}

void wire_drop_connections(void)
{
    sim_server_foreach(NULL, conn_drop, NULL);
}

void wire_set_down(bool is_down)
{
    the_wire.is_down = is_down;
    if (is_down)
        wire_drop_connections();
}
