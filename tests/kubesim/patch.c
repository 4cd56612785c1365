/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Merge patch (RFC 7386), and what of strategic merge patch matters in practice.
 *
 * The model: a work list of pairs (target object, patch object), so that no depth of the input
 * becomes a depth of our stack. For each member of the patch: null removes, an object goes on the
 * list, anything else replaces.
 *
 * Strategic merge differs for lists whose name has a row in merge_keys and whose items all carry
 * that key: items are matched by it, merged, added, or removed by {"$patch":"delete"}. Members that
 * begin with '$' steer the real server's merge and are left out; other lists are replaced.
 *
 * Thread: any.
 */
#include "patch.h"

#include <stdbool.h>
#include <string.h>

#include "base/base.h"

#define PATCH_DEPTH_MAX 256

static const struct {
    const char *list;
    const char *key;
} merge_keys[] = {
    {"containers", "name"},
    {"initContainers", "name"},
    {"ephemeralContainers", "name"},
    {"env", "name"},
    {"volumes", "name"},
    {"volumeMounts", "mountPath"},
    {"volumeDevices", "devicePath"},
    {"imagePullSecrets", "name"},
    {"hostAliases", "ip"},
    {"conditions", "type"},
    {"ownerReferences", "uid"},
    {"ports", "containerPort"},
    {"ports", "port"},
    {"secrets", "name"},
    {"taints", "key"},
    {"addresses", "type"},
};

struct work {
    json_t *target[PATCH_DEPTH_MAX];
    json_t *patch[PATCH_DEPTH_MAX]; /* not changed; jansson's iterators take no const tree */
    size_t len;
};

static ks_rc work_push(struct work *w, json_t *target, json_t *patch)
{
    if (w->len == PATCH_DEPTH_MAX)
        return KS_RC_LIMIT;
    w->target[w->len] = target;
    w->patch[w->len] = patch;
    w->len++;
    return KS_RC_OK;
}

static bool all_have(const json_t *list, const char *key)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (!json_object_get(json_array_get(list, i), key))
            return false;
    }
    return true;
}

/* The key by which the list is merged; NULL when it is replaced. */
static const char *merge_key(const char *name, const json_t *old, const json_t *patch)
{
    for (size_t i = 0; i < KS_ARRAY_LEN(merge_keys); i++) {
        if (strcmp(merge_keys[i].list, name) == 0 && all_have(old, merge_keys[i].key) &&
            all_have(patch, merge_keys[i].key))
            return merge_keys[i].key;
    }
    return NULL;
}

static size_t item_find(const json_t *list, const char *key, const json_t *item)
{
    const json_t *wanted = json_object_get(item, key);
    size_t i = 0;

    while (i < json_array_size(list) &&
           !json_equal(json_object_get(json_array_get(list, i), key), wanted))
        i++;
    return i;
}

static bool is_deletion(const json_t *item)
{
    const char *how = json_string_value(json_object_get(item, "$patch"));

    return how && strcmp(how, "delete") == 0;
}

static ks_rc list_merge(struct work *w, json_t *old, const json_t *patch, const char *key)
{
    for (size_t i = 0; i < json_array_size(patch); i++) {
        json_t *item = json_array_get(patch, i);
        size_t at = item_find(old, key, item);
        ks_rc rc = KS_RC_OK;

        if (at < json_array_size(old) && is_deletion(item))
            (void)json_array_remove(old, at); /* it is there */
        else if (at < json_array_size(old))
            rc = work_push(w, json_array_get(old, at), item);
        else if (!is_deletion(item) && json_array_append_new(old, json_deep_copy(item)) != 0)
            rc = KS_RC_NOMEM;
        if (rc)
            return rc;
    }
    return KS_RC_OK;
}

static ks_rc member_merge(struct work *w, json_t *target, const char *name, json_t *value,
                          enum sim_patch_kind kind)
{
    json_t *old = json_object_get(target, name);
    const char *key = kind == SIM_PATCH_STRATEGIC && json_is_array(value) && json_is_array(old)
                          ? merge_key(name, old, value)
                          : NULL;

    if (kind == SIM_PATCH_STRATEGIC && name[0] == '$')
        return KS_RC_OK;
    if (json_is_null(value)) {
        (void)json_object_del(target, name); /* often absent */
        return KS_RC_OK;
    }
    if (key)
        return list_merge(w, old, value, key);
    if (!json_is_object(value))
        return json_object_set_new(target, name, json_deep_copy(value)) == 0 ? KS_RC_OK
                                                                             : KS_RC_NOMEM;
    if (!json_is_object(old)) {
        if (json_object_set_new(target, name, json_object()) != 0)
            return KS_RC_NOMEM;
        old = json_object_get(target, name);
    }
    return work_push(w, old, value);
}

ks_rc sim_patch_apply(json_t *target, json_t *patch, enum sim_patch_kind kind)
{
    struct work w = {.len = 0};
    ks_rc rc = work_push(&w, target, patch);

    while (!rc && w.len > 0) {
        json_t *to = w.target[--w.len];
        json_t *from = w.patch[w.len];

        for (void *i = json_object_iter(from); i && !rc; i = json_object_iter_next(from, i))
            rc = member_merge(&w, to, json_object_iter_key(i), json_object_iter_value(i), kind);
    }
    return rc;
}
