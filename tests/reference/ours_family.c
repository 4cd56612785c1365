/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An object stands behind its owner, so that the last one is judged first: when an object's turn
 * comes, all its members have been counted.
 *
 * Thread: one at a time.
 */
#include "ours_family.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "json/path.h"
#include "status/family.h"
#include "status/rules.h"
#include "family.h"

ks_rc family_judge_new(struct family_judge **out, struct ks_error *err)
{
    struct family_judge *judge = ks_alloc0(sizeof(*judge));

    if (!judge)
        return ks_fail(err, KS_RC_NOMEM, "no memory for a family");
    for (int i = 0; i < FAMILY_MAX; i++) {
        ks_rc rc = ks_json_new(&ks_json_limits_object, &judge->members[i].json, err);

        if (rc) {
            family_judge_free(judge);
            return rc;
        }
    }
    *out = judge;
    return KS_RC_OK;
}

struct family_judge *family_judge_free(struct family_judge *judge)
{
    if (!judge)
        return NULL;
    for (int i = 0; i < FAMILY_MAX; i++)
        ks_json_free(judge->members[i].json);
    ks_free(judge);
    return NULL;
}

struct ks_json_value family_root(const struct member *m)
{
    return ks_json_root(m->json);
}

static struct ks_str controller_of(const struct member *m)
{
    struct ks_json_value list = {0};

    (void)ks_json_strict_list(family_root(m), "metadata.ownerReferences", &list); /* else absent */
    for (struct ks_json_value e = ks_json_first(list); !ks_json_is_absent(e); e = ks_json_next(e)) {
        if (ks_json_lenient_bool(e, "controller", false))
            return ks_json_lenient_str(e, "uid", "");
    }
    return KS_LIT("");
}

/* The generations that the reference's readers follow: no others fail their owner. */
static bool is_followed(const struct ks_status_kind *owner)
{
    return ks_str_is(owner->kind, "Deployment") || ks_status_fails_by_members(owner);
}

static int find_controller(const struct family_judge *judge, int index)
{
    struct ks_str uid = controller_of(&judge->members[index]);

    for (int i = 0; i < index && uid.len > 0; i++) {
        const struct member *m = &judge->members[i];

        if (m->is_readable &&
            ks_str_eq(ks_json_lenient_str(family_root(m), "metadata.uid", ""), uid))
            return i;
    }
    return -1;
}

static ks_rc read_line(struct family_judge *judge, struct ks_str line)
{
    struct ks_str text;

    judge->count = 0;
    while (ks_str_split(&line, FAMILY_SEPARATOR, &text)) {
        struct member *m = &judge->members[judge->count];
        struct ks_error err = {0};

        if (judge->count == FAMILY_MAX)
            return KS_RC_LIMIT;
        *m = (struct member){.json = m->json, .owner = -1, .controller = -1};
        m->is_readable = ks_json_parse(m->json, text, &err) == KS_RC_OK;
        if (m->is_readable) {
            m->kind = ks_status_kind_of(family_root(m));
            m->controller = find_controller(judge, judge->count);
            if (m->controller >= 0 && is_followed(&judge->members[m->controller].kind))
                m->owner = m->controller;
            m->belongs = judge->count == 0 || (m->owner >= 0 && judge->members[m->owner].belongs);
        }
        judge->count++;
    }
    return KS_RC_OK;
}

static void judge_member(struct family_judge *judge, struct member *m, int64_t now_ms)
{
    struct ks_error err = {0};
    ks_status alone;

    m->rc = ks_status_compute_as(family_root(m), &m->kind, now_ms, &m->verdict, &err);
    if (m->rc)
        return;
    alone = m->verdict.status;
    ks_status_count_failed(&m->kind, m->failed, &m->verdict);
    m->is_failed_by_members = m->verdict.status != alone;
    if (m->owner >= 0 && ks_member_fails_owner(family_root(m), &m->kind, &m->verdict))
        judge->members[m->owner].failed++;
}

static ks_rc append_member(const struct member *m, struct ks_buf *out)
{
    if (!m->is_readable)
        return ks_buf_append_str(out, KS_LIT("unreadable"));
    if (!m->belongs)
        return ks_buf_append_byte(out, '-');
    if (m->rc)
        return ks_buf_append_str(out, m->rc == KS_RC_INVALID ? KS_LIT("error") : KS_LIT("failure"));
    if (m->is_failed_by_members)
        return ks_buf_appendf(out, "Failed/%" PRIu32, m->failed);
    return ks_buf_append_str(out, ks_str_from(ks_status_text(m->verdict.status)));
}

ks_rc family_judge_read(struct family_judge *judge, int64_t now_ms, struct ks_str line)
{
    ks_rc rc = read_line(judge, line);

    for (int i = judge->count - 1; i >= 0 && !rc; i--) {
        if (judge->members[i].belongs)
            judge_member(judge, &judge->members[i], now_ms);
    }
    return rc;
}

ks_rc family_judge_line(struct family_judge *judge, int64_t now_ms, struct ks_str line,
                        struct ks_buf *out)
{
    ks_rc rc = family_judge_read(judge, now_ms, line);

    for (int i = 0; i < judge->count && !rc; i++) {
        if (i > 0)
            rc = ks_buf_append_byte(out, '\t');
        if (!rc)
            rc = append_member(&judge->members[i], out);
    }
    return rc;
}
