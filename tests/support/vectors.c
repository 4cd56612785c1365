/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop over a file of vectors, and what all of them have. The line and the object have parsers
 * of their own: the line must stay readable while the object is judged.
 */
#include "support/vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/rfc3339.h"
#include "base/str.h"
#include "json/path.h"

#define FILE_MAX_BYTES (8u << 20)

int64_t ks_vector_time(struct ks_json_value root, const char *path)
{
    struct ks_str text = ks_json_lenient_str(root, path, "");
    int64_t wall_ms = 0;

    if (text.len > 0 && !ks_rfc3339_parse(text, &wall_ms))
        fail_msg("%s is no time: %.*s", path, KS_STR_ARGS(text));
    return wall_ms;
}

void ks_vector_expect(const struct ks_vector *v, const char *profile, const char *status,
                      struct ks_str reason)
{
    struct ks_json_value stated = ks_json_get(v->root, profile);
    struct ks_str want = ks_json_lenient_str(stated, "status", "");
    struct ks_str why = ks_json_lenient_str(stated, "reason", "");

    assert_true(want.len > 0);
    if (!ks_str_is(want, status) || !ks_str_eq(why, reason))
        fail_msg("%.*s: is %s/%.*s, must be %.*s/%.*s", KS_STR_ARGS(v->name), status,
                 KS_STR_ARGS(reason), KS_STR_ARGS(want), KS_STR_ARGS(why));
}

static void run_line(struct ks_json *line_json, struct ks_json *json, struct ks_str line,
                     ks_vector_fn run)
{
    struct ks_vector v = {0};
    struct ks_error err = {0};
    struct ks_json_value object;

    if (ks_json_parse(line_json, line, &err))
        fail_msg("%s: %.*s", err.msg, KS_STR_ARGS(line));
    v.root = ks_json_root(line_json);
    object = ks_json_get(v.root, "object");
    if (ks_json_is_absent(object))
        object = ks_json_get(v.root, "objects"); /* a family's */
    v.name = ks_json_lenient_str(v.root, "name", "");
    v.object =
        ks_json_is_absent(object) ? ks_json_lenient_str(v.root, "text", "") : ks_json_raw(object);
    v.now_ms = ks_vector_time(v.root, "now");
    if (v.name.len == 0 || v.object.len == 0 || v.now_ms == 0)
        fail_msg("name, now, object or text is missing: %.*s", KS_STR_ARGS(line));
    run(&v, json);
}

void ks_vectors_run(const char *path, size_t least, ks_vector_fn run)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(FILE_MAX_BYTES);
    struct ks_json *line_json = NULL;
    struct ks_json *json = NULL;
    struct ks_error err = {0};
    size_t count = 0;
    struct ks_str rest;
    struct ks_str line;

    if (ks_file_read(path, &text, &err) || ks_json_new(&ks_json_limits_object, &line_json, &err) ||
        ks_json_new(&ks_json_limits_object, &json, &err))
        fail_msg("%s", err.msg);
    rest = ks_buf_str(&text);
    while (ks_str_split(&rest, '\n', &line)) {
        if (line.len == 0)
            continue;
        run_line(line_json, json, line, run);
        count++;
    }
    assert_true(count >= least);
    ks_json_free(line_json);
    ks_json_free(json);
}
