/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services and Ingresses under profile strict: one that is to be reached from outside needs an
 * address.
 *
 * Thread: the document's.  It does not: read Events; a Warning is in the context.
 */
#include "status/strict.h"

#include "json/path.h"

static bool has_address(const struct ks_strict *s)
{
    struct ks_json_value list;

    return ks_json_strict_list(s->status, "loadBalancer.ingress", &list) == KS_LOOKUP_FOUND &&
           ks_json_count(list) > 0;
}

static int64_t created_ms(const struct ks_strict *s)
{
    return ks_strict_time(ks_json_lenient_str(s->object, "metadata.creationTimestamp", ""));
}

void ks_strict_service(struct ks_strict *s)
{
    const struct ks_status_evidence *warning = s->context->failure;
    struct ks_finding finding = {
        .status = KS_STATUS_FAILED,
        .basis = KS_BASIS_KIND_RULE,
        .reason_until = KS_LIT("LoadBalancerPending"),
        .grace_ms = KS_STRICT_ADDRESS_GRACE_MS,
        .since_ms = created_ms(s),
    };

    if (!ks_str_is(ks_json_lenient_str(s->object, "spec.type", ""), "LoadBalancer")) {
        ks_strict_current(s, "", "Service needs nothing from outside");
        return;
    }
    if (has_address(s)) {
        ks_strict_current(s, "", "The load balancer has an address");
        return;
    }
    if (warning) {
        finding.reason = warning->reason;
        finding.message = warning->message;
        ks_strict_find(s, &finding, "The load balancer cannot be made");
    }
    ks_strict_progress(s, "LoadBalancerPending", "The load balancer has no address yet");
}

void ks_strict_address_ingress(struct ks_strict *s)
{
    static const struct ks_finding assumed = {.status = KS_STATUS_CURRENT,
                                              .basis = KS_BASIS_ASSUMED};
    int64_t since_ms = created_ms(s) ? created_ms(s) : s->context->first_seen_ms;
    int64_t until_ms = since_ms + KS_STRICT_ADDRESS_GRACE_MS;
    bool may_lack = s->context->may_lack_address && since_ms > 0;

    if (has_address(s)) {
        ks_strict_current(s, "", "Ingress has an address");
    } else if (may_lack && s->now_ms >= until_ms) {
        ks_strict_find(s, &assumed, "Assumed: the Ingress's controller writes no address");
    } else {
        ks_strict_progress(s, "AddressPending", "Ingress has no address yet");
        if (may_lack)
            s->recheck_at_ms = until_ms;
    }
}
