/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding of watch lines. What the type says is a hint for everybody but this file: an ADDED of a
 * known object is an update, a MODIFIED of an unknown one an addition.
 *
 * Thread: the loop's.
 */
#include "kube/watch_decode.h"

static const char *const type_names[] = {
    [KS_WATCH_ADDED] = "ADDED",     [KS_WATCH_MODIFIED] = "MODIFIED",
    [KS_WATCH_DELETED] = "DELETED", [KS_WATCH_BOOKMARK] = "BOOKMARK",
    [KS_WATCH_ERROR] = "ERROR",
};

ks_watch_type ks_watch_type_parse(struct ks_str type)
{
    for (unsigned i = 0; i < KS_ARRAY_LEN(type_names); i++) {
        if (ks_str_is(type, type_names[i]))
            return (ks_watch_type)i;
    }
    return KS_WATCH_UNKNOWN;
}

ks_rc ks_watch_decode(struct ks_json *parser, struct ks_str line, struct ks_watch_event *out,
                      struct ks_error *err)
{
    struct ks_json_value root;
    struct ks_json_value object;
    struct ks_str type;
    ks_rc rc = ks_json_parse(parser, line, err);

    if (rc)
        return rc;
    root = ks_json_root(parser);
    object = ks_json_get(root, "object");
    if (!ks_json_to_str(ks_json_get(root, "type"), &type) ||
        ks_json_type_of(object) != KS_JSON_MAP) {
        if (ks_json_out_of_memory(parser))
            return ks_fail(err, KS_RC_NOMEM, "no memory for a watch event");
        return ks_fail(err, KS_RC_PARSE, "the watch event has no type or no object");
    }
    *out = (struct ks_watch_event){.type = ks_watch_type_parse(type), .object = object};
    return KS_RC_OK;
}

/* Absent and null leave out as it is, as Go's decoder does. */
static bool read_member(struct ks_json_value map, const char *key, struct ks_str *out)
{
    struct ks_json_value value = ks_json_get(map, key);
    ks_json_type type = ks_json_type_of(value);

    return type == KS_JSON_ABSENT || type == KS_JSON_NULL || ks_json_to_str(value, out);
}

bool ks_identity_of(struct ks_json_value object, struct ks_identity *out)
{
    struct ks_json_value metadata = ks_json_get(object, "metadata");

    *out = (struct ks_identity){0};
    return ks_json_type_of(metadata) == KS_JSON_MAP && read_member(metadata, "name", &out->name) &&
           read_member(metadata, "namespace", &out->ns) &&
           read_member(metadata, "uid", &out->uid) &&
           read_member(metadata, "resourceVersion", &out->resource_version);
}

bool ks_watch_is_initial_end(struct ks_json_value object)
{
    struct ks_json_value annotations = ks_json_get(ks_json_get(object, "metadata"), "annotations");
    struct ks_str value;

    return ks_json_to_str(ks_json_get(annotations, "k8s.io/initial-events-end"), &value) &&
           ks_str_is(value, "true");
}

void ks_watch_failure_of(struct ks_json_value status, struct ks_kube_failure *out)
{
    ks_kube_failure_from_body(200, ks_json_raw(status), out);
}
