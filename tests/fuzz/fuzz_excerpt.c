/* SPDX-License-Identifier: Apache-2.0 */
/* layer: watcher */
/*
 * Any object as a Secret and as something else: what is handed out is JSON, holds no managedFields,
 * and of a Secret nothing but what is listed.
 */
#include <stdint.h>
#include <stdlib.h>

#include "watcher/excerpt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        __builtin_trap();
}

static struct ks_json *parse(struct ks_str text)
{
    struct ks_json *json = NULL;

    check(ks_json_new(&ks_json_limits_object, &json, NULL) == KS_RC_OK);
    if (ks_json_parse(json, text, NULL))
        return ks_json_free(json);
    return json;
}

static void check_secret(struct ks_json_value object)
{
    struct ks_json_value member = ks_json_first(object);

    for (; !ks_json_is_absent(member); member = ks_json_next(member)) {
        struct ks_str key = ks_json_key(member);

        check(ks_str_is(key, "apiVersion") || ks_str_is(key, "kind") ||
              ks_str_is(key, "metadata") || ks_str_is(key, "type"));
    }
    check(ks_json_is_absent(ks_json_get(ks_json_get(object, "metadata"), "annotations")));
}

static void check_excerpt(struct ks_json_value object, const struct ks_resource *resource)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf out = KS_BUF(KS_EXCERPT_MAX);
    struct ks_json_value told;
    struct ks_json *json;

    check(ks_excerpt(object, resource, &out) == KS_RC_OK);
    if (out.len == 0)
        return;
    json = parse(ks_buf_str(&out));
    check(json != NULL);
    told = ks_json_root(json);
    check(ks_json_is_absent(ks_json_get(ks_json_get(told, "metadata"), "managedFields")));
    if (resource->group.len == 0)
        check_secret(told);
    (void)ks_json_free(json); /* always NULL */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ks_resource secrets = {.version = {"v1", 2}, .kind = {"Secret", 6}};
    static const struct ks_resource others = {
        .group = {"apps", 4}, .version = {"v1", 2}, .kind = {"Deployment", 10}};
    struct ks_json *json = parse(ks_str_make((const char *)data, size));

    if (!json)
        return 0;
    check_excerpt(ks_json_root(json), &secrets);
    check_excerpt(ks_json_root(json), &others);
    (void)ks_json_free(json); /* always NULL */
    return 0;
}
