/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks a request's targets. What a kind is called, and whether it has namespaces, only the API
 * server knows: that is told in-band, later.
 *
 * Invariant: an error names the field as the protocol calls it, target by its index.
 *
 * Thread: any.  It does not: change, resolve or complete.
 */
#include "watcher/target_check.h"

#include "watcher/selector.h"

#define WORD_MAX 253
#define UID_MAX 128

/* group, kind, version and resource are looked up in the discovery document and never get into a
 * URL. */
static bool is_word(struct ks_str s)
{
    if (s.len > WORD_MAX)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.ptr[i] <= ' ' || (unsigned char)s.ptr[i] >= 0x7f)
            return false;
    }
    return true;
}

static const char *selection_of(const struct ks_target *t)
{
    return t->kind == KS_TARGET_OBJECT ? "object" : "selector";
}

/* Puts the field's name before the message that is in err. */
static ks_rc at_field(struct ks_error *err, size_t index, const struct ks_target *t,
                      const char *field)
{
    return ks_wrap(err, KS_RC_INVALID, "targets[%zu].%s.%s", index, selection_of(t), field);
}

static ks_rc check_kind(const struct ks_target *t, size_t index, struct ks_error *err)
{
    const struct {
        const char *field;
        struct ks_str text;
    } words[] = {
        {"resource", t->resource},
        {"group", t->group},
        {"version", t->version},
        {"kind", t->object_kind},
    };

    for (size_t i = 0; i < KS_ARRAY_LEN(words); i++) {
        if (is_word(words[i].text))
            continue;
        (void)ks_fail(err, KS_RC_INVALID, /* at_field returns it */
                      "at most %d printable characters without blanks are allowed", WORD_MAX);
        return at_field(err, index, t, words[i].field);
    }
    if (t->resource.len && (t->group.len || t->version.len || t->object_kind.len)) {
        (void)ks_fail(err, KS_RC_INVALID, /* at_field returns it */
                      "it stands instead of group, kind and version: set one or the other");
        return at_field(err, index, t, "resource");
    }
    if (!t->resource.len && !t->object_kind.len) {
        (void)ks_fail(err, KS_RC_INVALID, /* at_field returns it */
                      "neither a kind (as Deployment) nor a resource (as deploy) is named");
        return at_field(err, index, t, "kind");
    }
    return KS_RC_OK;
}

static ks_rc check_object(const struct ks_target *t, size_t index, struct ks_error *err)
{
    if (ks_object_name_check(t->name, err))
        return at_field(err, index, t, "name");
    if (t->uid.len > UID_MAX || !is_word(t->uid)) {
        (void)ks_fail(err, KS_RC_INVALID, /* at_field returns it */
                      "at most %d printable characters without blanks are allowed", UID_MAX);
        return at_field(err, index, t, "uid");
    }
    return KS_RC_OK;
}

static ks_rc check_selector(const struct ks_target *t, size_t index, struct ks_error *err)
{
    if (ks_label_selector_check(t->label_selector, err))
        return at_field(err, index, t, "label_selector");
    if (ks_field_selector_check(t->field_selector, err))
        return at_field(err, index, t, "field_selector");
    return KS_RC_OK;
}

static ks_rc check_target(const struct ks_target *t, size_t index, struct ks_error *err)
{
    ks_rc rc = check_kind(t, index, err);

    if (rc)
        return rc;
    if (t->ns.len && ks_namespace_check(t->ns, err))
        return at_field(err, index, t, "namespace");
    if (t->kind == KS_TARGET_OBJECT)
        return check_object(t, index, err);
    return check_selector(t, index, err);
}

static ks_rc check_unique(const struct ks_target *targets, size_t index, struct ks_error *err)
{
    for (size_t i = 0; i < index; i++) {
        if (targets[i].target_id == targets[index].target_id)
            return ks_fail(err, KS_RC_INVALID,
                           "targets[%zu].target_id: %u is the id of targets[%zu] already", index,
                           targets[index].target_id, i);
    }
    return KS_RC_OK;
}

ks_rc ks_targets_check(const struct ks_target *targets, size_t count, struct ks_error *err)
{
    if (count == 0)
        return ks_fail(err, KS_RC_INVALID, "targets: there is none, and nothing to watch");
    if (count > KS_SESSION_MAX_TARGETS)
        return ks_fail(err, KS_RC_INVALID, "targets: there are %zu, at most %d are allowed", count,
                       KS_SESSION_MAX_TARGETS);
    for (size_t i = 0; i < count; i++) {
        ks_rc rc = check_unique(targets, i, err);

        if (!rc)
            rc = check_target(&targets[i], i, err);
        if (rc)
            return rc;
    }
    return KS_RC_OK;
}
