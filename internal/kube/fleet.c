/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fleet.
 *
 * One parser serves all reflectors of a client, as no document outlives the callback that it was
 * parsed for.
 *
 * Absences: one entry a resource, keyed "group/version/plural", with a time for each feature until
 * which it counts as absent. Entries are never removed one by one: a full map is emptied, which
 * costs one refused request for each resource that mattered.
 *
 * Thread: the loop's.
 */
#include "kube/fleet.h"

#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"

#define MAX_ABSENCES 4096
#define MAX_KEY_BYTES 1024

struct absence {
    int64_t until_ms[KS_FEATURE_COUNT];
    char key[];
};

struct ks_fleet {
    struct ks_loop *loop;
    struct ks_json *parser;
    struct ks_map *absences;
    struct ks_list probing;
};

static ks_rc fleet_new(struct ks_loop *loop, struct ks_fleet **out, struct ks_error *err)
{
    struct ks_fleet *fleet = ks_alloc0(sizeof(*fleet));
    ks_rc rc;

    if (!fleet)
        return ks_fail(err, KS_RC_NOMEM, "no memory for an informer");
    fleet->loop = loop;
    ks_list_init(&fleet->probing);
    fleet->absences = ks_map_new(MAX_ABSENCES);
    rc = ks_json_new(&ks_json_limits_object, &fleet->parser, err);
    if (!rc && !fleet->absences)
        rc = ks_fail(err, KS_RC_NOMEM, "no memory for an informer");
    if (rc) {
        ks_fleet_free(fleet);
        return rc;
    }
    *out = fleet;
    return KS_RC_OK;
}

ks_rc ks_fleet_of(struct ks_kube *kube, struct ks_fleet **out, struct ks_error *err)
{
    struct ks_fleet **slot = ks_kube_fleet_slot(kube);
    ks_rc rc = KS_RC_OK;

    if (!*slot)
        rc = fleet_new(ks_kube_loop(kube), slot, err);
    if (!rc)
        *out = *slot;
    return rc;
}

static void drop_absence(void *ctx, struct ks_str key, void *value)
{
    struct ks_map *absences = ctx;

    (void)ks_map_remove(absences, key); /* it is value */
    ks_free(value);
}

struct ks_fleet *ks_fleet_free(struct ks_fleet *fleet)
{
    if (!fleet)
        return NULL;
    if (fleet->absences)
        ks_map_foreach(fleet->absences, drop_absence, fleet->absences);
    ks_map_free(fleet->absences);
    ks_json_free(fleet->parser);
    ks_free(fleet);
    return NULL;
}

struct ks_json *ks_fleet_parser(struct ks_fleet *fleet)
{
    return fleet->parser;
}

struct ks_list *ks_fleet_probing(struct ks_fleet *fleet)
{
    return &fleet->probing;
}

static ks_rc append_key(struct ks_buf *key, const struct ks_resource *r)
{
    return ks_buf_appendf(key, "%.*s/%.*s/%.*s", KS_STR_ARGS(r->group), KS_STR_ARGS(r->version),
                          KS_STR_ARGS(r->plural));
}

static struct absence *find_absence(const struct ks_fleet *fleet, const struct ks_resource *r)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf key = KS_BUF(MAX_KEY_BYTES);

    return append_key(&key, r) ? NULL : ks_map_find(fleet->absences, ks_buf_str(&key));
}

static struct absence *add_absence(struct ks_fleet *fleet, const struct ks_resource *r)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf key = KS_BUF(MAX_KEY_BYTES);
    struct absence *absence;

    if (append_key(&key, r))
        return NULL;
    if (ks_map_count(fleet->absences) >= MAX_ABSENCES)
        ks_map_foreach(fleet->absences, drop_absence, fleet->absences);
    absence = ks_alloc0(sizeof(*absence) + key.len);
    if (!absence)
        return NULL;
    memcpy(absence->key, key.data, key.len);
    if (ks_map_put(fleet->absences, ks_str_make(absence->key, key.len), absence)) {
        ks_free(absence);
        return NULL;
    }
    return absence;
}

bool ks_fleet_may_use(const struct ks_fleet *fleet, const struct ks_resource *resource,
                      ks_feature feature)
{
    const struct absence *absence = find_absence(fleet, resource);

    return !absence || ks_loop_now_ms(fleet->loop) >= absence->until_ms[feature];
}

void ks_fleet_remember_absence(struct ks_fleet *fleet, const struct ks_resource *resource,
                               ks_feature feature, int64_t for_ms)
{
    struct absence *absence = find_absence(fleet, resource);

    if (!absence)
        absence = add_absence(fleet, resource);
    if (absence)
        absence->until_ms[feature] = ks_loop_now_ms(fleet->loop) + for_ms;
}
