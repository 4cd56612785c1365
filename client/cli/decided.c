/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A decision as a sentence that names fields and values, and as members of JSON.
 *
 * Invariant: texts of the cluster pass through text.c.
 *
 * Thread: any.
 */
#include "client/cli/decided.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/cli/judge.h"
#include "client/cli/paragraph.h"

#define SENTENCE_MAX 768

ks_rc ks_decided_append(struct ks_buf *out, const struct ks_decision *d, const struct ks_verdict *v)
{
    bool is_alone = d->other_field[0] == '\0';
    char generation[48] = "";
    char text[SENTENCE_MAX];

    if (d->comparison[0] == '\0')
        return KS_RC_OK;
    if (v->has_generation && !strstr(d->other_field, "metadata.generation"))
        (void)snprintf(generation, sizeof(generation), ", at generation %" PRId64, /* fits */
                       v->generation);
    if (is_alone)
        (void)snprintf(text, sizeof(text), "%s %s %s%s", d->field, d->comparison, /* fits */
                       d->value, generation);
    else
        (void)snprintf(text, sizeof(text), "%s %s %s %s %s%s", /* fits */
                       d->field, d->value, d->comparison, d->other_field, d->other_value,
                       generation);
    return ks_paragraph_append(out, "decided by", ks_str_from(text));
}

ks_rc ks_decided_append_json(struct ks_buf *out, const struct ks_decision *d)
{
    ks_rc rc;

    if (d->comparison[0] == '\0')
        return KS_RC_OK;
    rc = ks_judge_append_key(out, "decidedBy");
    if (!rc)
        rc = ks_buf_append_byte(out, '{');
    if (!rc)
        rc = ks_judge_append_member(out, "field", ks_str_from(d->field));
    if (!rc)
        rc = ks_judge_append_member(out, "value", ks_str_from(d->value));
    if (!rc)
        rc = ks_judge_append_member(out, "comparison", ks_str_from(d->comparison));
    if (!rc && d->other_field[0])
        rc = ks_judge_append_member(out, "otherField", ks_str_from(d->other_field));
    if (!rc && d->other_field[0])
        rc = ks_judge_append_member(out, "otherValue", ks_str_from(d->other_value));
    return rc ? rc : ks_buf_append_byte(out, '}');
}
