/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a verdict back to what decided it.
 *
 *   deletion > the condition whose words the verdict has > the table's row for the kind and the
 *   reason > the member whose words it has
 *
 * Invariants:
 *   1. Nothing is told that does not hold on the object: a row that names the wrong comparison
 *      tells nothing, and the tests find it out.
 *   2. Numbers are shown as they were counted: an absent one as its default.
 *
 * Thread: the document's.  It does not: judge; nor look at other objects.
 */
#include "status/decision.h"

#include <stdio.h>

#include "json/path.h"
#include "status/decision_tell.h"

void ks_decision_value(char to[KS_DECISION_VALUE_MAX], struct ks_json_value v)
{
    struct ks_str text = ks_json_raw(v);

    switch (ks_json_type_of(v)) {
    case KS_JSON_ABSENT:
        text = KS_LIT("absent");
        break;
    case KS_JSON_LIST:
    case KS_JSON_MAP:
        (void)snprintf(to, KS_DECISION_VALUE_MAX, "%zu %s", ks_json_count(v), /* fits */
                       ks_json_count(v) == 1 ? "entry" : "entries");
        return;
    case KS_JSON_STRING:
        (void)ks_json_to_str(v, &text); /* out of memory: as it is written */
        if (text.len == 0 || text.ptr[0] == '\0')
            text = KS_LIT("empty");
        break;
    case KS_JSON_NULL:
    case KS_JSON_BOOL:
    case KS_JSON_INT:
    case KS_JSON_DOUBLE:
        break;
    }
    text = ks_str_cut_utf8(text, KS_DECISION_VALUE_MAX - 1);
    (void)snprintf(to, KS_DECISION_VALUE_MAX, "%.*s", KS_STR_ARGS(text)); /* fits */
}

bool ks_decision_tell(struct ks_decision *out, const char *field, struct ks_json_value v)
{
    (void)snprintf(out->field, sizeof(out->field), "%s", field); /* may be cut: for people */
    ks_decision_value(out->value, v);
    out->comparison = "is";
    return true;
}

bool ks_decision_tell_element(struct ks_decision *out, const char *list, struct ks_str name,
                              const char *member, struct ks_json_value v)
{
    char field[KS_DECISION_FIELD_MAX];

    (void)snprintf(field, sizeof(field), "%s[%.*s]%s%s", list, /* may be cut: for people */
                   KS_STR_ARGS(ks_str_cut_utf8(name, 63)), member ? "." : "", member ? member : "");
    return ks_decision_tell(out, field, v);
}

struct ks_json_value ks_asked_find(const struct ks_asked *a, const char *path)
{
    struct ks_json_value v = a->object;

    if (path[0] && ks_json_walk(a->object, path, &v) != KS_LOOKUP_FOUND)
        return (struct ks_json_value){.doc = NULL};
    return v;
}

/* A kind of object whose deletion is told in another way has a row. */
static bool from_deletion(const struct ks_asked *a, struct ks_decision *out)
{
    static const char path[] = "metadata.deletionTimestamp";

    return a->verdict->status == KS_STATUS_TERMINATING &&
           ks_json_lenient_str(a->object, path, "").len > 0 &&
           ks_decision_tell(out, path, ks_asked_find(a, path));
}

bool ks_decision_read(struct ks_json_value object, const struct ks_status_kind *kind,
                      ks_profile profile, const struct ks_verdict *verdict, struct ks_decision *out)
{
    const struct ks_asked a = {.object = object,
                               .kind = kind,
                               .verdict = verdict,
                               .is_strict = profile == KS_PROFILE_STRICT};

    *out = (struct ks_decision){.comparison = ""};
    return from_deletion(&a, out) || ks_decision_from_condition(&a, out) ||
           ks_decision_from_row(&a, out) || ks_decision_from_member(&a, out);
}

struct ks_decision_view ks_decision_view(const struct ks_decision *d)
{
    return (struct ks_decision_view){
        .field = ks_str_from(d->field),
        .value = ks_str_from(d->value),
        .comparison = ks_str_from(d->comparison),
        .other_field = ks_str_from(d->other_field),
        .other_value = ks_str_from(d->other_value),
    };
}
