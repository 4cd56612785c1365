/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is in the way is encoded as updates are, one by one, and laid behind the rest of the
 * outcome: a message's fields may stand in any order.
 *
 * Invariant: a client that can read updates can read an outcome: it is no longer than a response.
 *
 * Thread: any.  It does not: choose what is told.
 */
#include "bridge/encode_outcome.h"

#include <string.h>

#include "base/str.h"

#include "bridge/encode.h"
#include "bridge/wire.h"

/* A third of what a response may have. */
#define OUTCOME_MAX_BYTES (340u << 10)

void ks_encode_counts(Kstatus__V1__Counts *to, const struct ks_counts *from)
{
    const uint32_t *n = from->by_status;

    kstatus__v1__counts__init(to);
    to->in_progress = n[KS_STATUS_IN_PROGRESS];
    to->failed = n[KS_STATUS_FAILED];
    to->current = n[KS_STATUS_CURRENT];
    to->terminating = n[KS_STATUS_TERMINATING];
    to->not_found = n[KS_STATUS_NOT_FOUND];
    to->unknown = n[KS_STATUS_UNKNOWN];
}

static ks_rc append_blocking(struct ks_buf *out, const struct ks_update *update)
{
    const struct ks_event event = {.kind = KS_EVENT_UPDATE, .update = *update};
    struct ks_packet *packet = NULL;
    ks_rc rc = ks_encode_event(&event, &packet, NULL);

    if (rc)
        return rc;
    rc = ks_wire_blocking(out, packet);
    (void)ks_packet_unref(packet); /* always NULL */
    return rc;
}

static ks_rc append_head(struct ks_buf *out, const struct ks_outcome *outcome)
{
    Kstatus__V1__Outcome m;
    Kstatus__V1__Counts counts;
    size_t size;
    ks_rc rc;

    kstatus__v1__outcome__init(&m);
    ks_encode_counts(&counts, &outcome->counts);
    m.verdict = (Kstatus__V1__Outcome__Verdict)outcome->verdict;
    m.counts = &counts;
    m.blocking_count = outcome->blocking_total;
    size = protobuf_c_message_get_packed_size(&m.base);
    rc = ks_buf_reserve(out, size);
    if (rc)
        return rc;
    (void)protobuf_c_message_pack(&m.base, (uint8_t *)out->data + out->len); /* writes size bytes */
    out->len += size;
    return KS_RC_OK;
}

ks_rc ks_encode_outcome(const struct ks_outcome *outcome, struct ks_packet **out,
                        struct ks_error *err)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf bytes = KS_BUF(OUTCOME_MAX_BYTES);
    ks_rc rc = append_head(&bytes, outcome);

    for (size_t i = 0; !rc && i < outcome->blocking_count; i++)
        rc = append_blocking(&bytes, &outcome->blocking[i]);
    if (rc == KS_RC_LIMIT) /* the rest finds no room; what is there is whole */
        rc = KS_RC_OK;
    if (!rc)
        *out = ks_packet_new(KS_PACKET_OUTCOME, bytes.len);
    if (rc || !*out)
        return ks_fail(err, KS_RC_NOMEM, "no memory for the outcome");
    memcpy((*out)->bytes, bytes.data, bytes.len);
    return KS_RC_OK;
}
