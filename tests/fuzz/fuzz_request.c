/* SPDX-License-Identifier: Apache-2.0 */
/* layer: server */
/*
 * Requests from anybody: the first byte chooses the kind, the rest is the message. What is accepted
 * must be within the limits, and every refusal must say something.
 */
#include <stdint.h>
#include <stdlib.h>

#include "watcher/until.h"

#include "server/rpc/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        __builtin_trap();
}

static void check_until(ks_rpc_request_kind kind, const struct ks_until_config *until)
{
    check(until || kind != KS_RPC_REQUEST_WAIT);
    if (!until)
        return;
    check(until->goal >= KS_GOAL_ALL_CURRENT && until->goal <= KS_GOAL_ALL_TERMINAL);
    check(until->stable_for_ms >= 0 && until->timeout_ms >= 0);
    check(until->min_basis <= KS_BASIS_ASSUMED);
}

static void check_target(const struct ks_target *t)
{
    check(t->kind == KS_TARGET_OBJECT || t->kind == KS_TARGET_SELECTOR);
    check((t->resource.len > 0) != (t->object_kind.len > 0));
    check(t->kind != KS_TARGET_OBJECT || t->name.len > 0);
    check(ks_str_chr(t->name, '/') < 0 && ks_str_chr(t->ns, '/') < 0);
    check(ks_str_is_utf8(t->uid) && ks_str_chr(t->uid, '\0') < 0);
    check(t->label_selector.len <= 4096 && t->field_selector.len <= 4096);
}

static const ks_rpc_request_kind kinds[4] = {KS_RPC_REQUEST_WATCH, KS_RPC_REQUEST_GET,
                                             KS_RPC_REQUEST_WAIT, KS_RPC_REQUEST_GET};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ks_refusal refusal;
    struct ks_rpc_request *request = NULL;
    ks_rpc_request_kind kind;
    ks_rc rc;

    if (size == 0)
        return 0;
    kind = kinds[data[0] % 4];
    ks_refusal_init(&refusal);
    rc = ks_rpc_request_decode(kind, ks_str_make((const char *)data + 1, size - 1), &request,
                               &refusal);
    if (rc == KS_RC_OK) {
        size_t n;
        const struct ks_target *targets = ks_rpc_request_targets(request, &n);

        check(n >= 1 && n <= KS_SESSION_MAX_TARGETS);
        check_until(kind, ks_rpc_request_until(request));
        for (size_t i = 0; i < n; i++)
            check_target(&targets[i]);
    } else {
        check(!request && refusal.error.msg[0] != '\0');
        check(refusal.code == 3 || refusal.code == 12);
    }
    (void)ks_rpc_request_free(request);
    ks_refusal_fini(&refusal);
    return 0;
}
