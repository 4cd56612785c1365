/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call after the other, all within one time limit. What they answer is put in the order in
 * which it was asked for: the server has none.
 *
 * Thread: main. Does not retry: a script that wants that knows how often.
 */
#include "client/cli/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#include "client/cli/dial.h"
#include "client/cli/report.h"
#include "client/cli/rows.h"

/* Longer than the server takes to give up on a target (30 s). */
#define TIMEOUT_MS 60000

static int order(uint32_t a, uint32_t b)
{
    return a < b ? -1 : a > b;
}

/* By target, as they were asked for; then by namespace, kind and name. */
static int cmp_status(const void *a, const void *b)
{
    const Kstatus__V1__ResourceStatus *x = *(Kstatus__V1__ResourceStatus *const *)a;
    const Kstatus__V1__ResourceStatus *y = *(Kstatus__V1__ResourceStatus *const *)b;
    int result = order(x->n_target_ids ? x->target_ids[0] : UINT32_MAX,
                       y->n_target_ids ? y->target_ids[0] : UINT32_MAX);

    if (result || !x->object || !y->object)
        return result;
    result = strcmp(x->object->namespace_, y->object->namespace_);
    if (!result)
        result = strcmp(x->object->kind, y->object->kind);
    return result ? result : strcmp(x->object->name, y->object->name);
}

/* One call, and once more with less where the server is older. */
static int ask_part(struct kstatus_client *client, const struct ks_options *options,
                    const struct ks_targets_part *part, int64_t end_ms, struct ks_snapshot *out,
                    struct kstatus_error *error)
{
    Kstatus__V1__WatchOptions wanted;
    Kstatus__V1__GetRequest request;
    struct ks_ask asked;
    int code;

    kstatus__v1__get_request__init(&request);
    request.options = &wanted;
    request.targets = part->list;
    request.n_targets = part->count;
    do {
        int64_t left_ms = end_ms - ks_clock_real.mono_ms(&ks_clock_real);

        asked = out->ask;
        ks_ask_options(&asked, options, &wanted);
        code =
            kstatus_get(client, &request, left_ms > 0 ? left_ms : 0, &out->at[out->count], error);
    } while (code != KSTATUS_OK && ks_ask_less(&out->ask, &asked, options, error));
    return code;
}

static int ask_all(struct kstatus_client *client, const struct ks_options *options,
                   struct ks_targets *targets, struct ks_snapshot *out, struct kstatus_error *error)
{
    int64_t timeout_ms = options->timeout_ms >= 0 ? options->timeout_ms : TIMEOUT_MS;
    int64_t end_ms = ks_clock_real.mono_ms(&ks_clock_real) + timeout_ms;
    int code = KSTATUS_OK;

    for (size_t i = 0; code == KSTATUS_OK && i < ks_targets_calls(targets); i++) {
        struct ks_targets_part part = ks_targets_part(targets, i);

        code = ask_part(client, options, &part, end_ms, out, error);
        if (code == KSTATUS_OK) {
            Kstatus__V1__GetResponse *answer = out->at[out->count++];

            if (answer->n_statuses > 1)
                qsort(answer->statuses, answer->n_statuses, sizeof(void *), cmp_status);
        }
    }
    return code;
}

int ks_snapshot_take(const struct ks_options *options, struct ks_targets *targets,
                     struct ks_snapshot *out)
{
    struct kstatus_client *client = ks_dial_open(options);
    struct kstatus_error error;
    int code = KS_EXIT_OK;

    out->count = 0;
    out->ask = (struct ks_ask){.lacks_causes = false};
    if (!client)
        return KS_EXIT_LOST;
    if (ask_all(client, options, targets, out, &error) != KSTATUS_OK)
        code = ks_dial_explain(options, &error, KS_DIAL_CALL);
    kstatus_client_free(client);
    return code;
}

void ks_snapshot_fini(struct ks_snapshot *snapshot)
{
    while (snapshot->count > 0)
        kstatus_get_response_free(snapshot->at[--snapshot->count]);
}

static bool is_bad_status(Kstatus__V1__ReconcileStatus status)
{
    return status != KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_CURRENT &&
           status != KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_IN_PROGRESS &&
           status != KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_TERMINATING;
}

static bool is_bad_answer(const Kstatus__V1__GetResponse *answer)
{
    for (size_t i = 0; i < answer->n_statuses; i++) {
        if (is_bad_status(answer->statuses[i]->status))
            return true;
    }
    for (size_t i = 0; i < answer->n_target_errors; i++) {
        if (ks_trouble_text(answer->target_errors[i]->state))
            return true;
    }
    return false;
}

bool ks_snapshot_is_bad(const struct ks_snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->count; i++) {
        if (is_bad_answer(snapshot->at[i]))
            return true;
    }
    return false;
}
