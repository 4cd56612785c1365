/* SPDX-License-Identifier: Apache-2.0 */
/* Files of every form: which objects come out, in which order, and what is said of the rest. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/path.h"
#include "client/cli/manifest.h"
#include "support/torture.h"

struct harvest {
    struct ks_buf names; /* "a b !" : names in order, '!' for what is bad */
    struct ks_error why; /* of the last bad one */
    size_t number;
    size_t line;    /* of the last */
    size_t stop_at; /* 0: never */
};

static ks_rc on_object(void *ctx, const struct ks_manifest_place *place,
                       struct ks_json_value object, struct ks_error *err)
{
    struct harvest *h = ctx;
    struct ks_str name = ks_json_lenient_str(object, "metadata.name", "?");
    ks_rc rc;

    assert_int_equal(place->number, h->number + 1);
    h->number = place->number;
    h->line = place->line;
    if (h->number == h->stop_at)
        return ks_fail(err, KS_RC_CANCELLED, "enough");
    rc = ks_buf_appendf(&h->names, "%.*s ", KS_STR_ARGS(name));
    return rc ? ks_fail(err, rc, "names") : KS_RC_OK;
}

static ks_rc on_bad(void *ctx, const struct ks_manifest_place *place, const struct ks_error *why)
{
    struct harvest *h = ctx;

    assert_int_equal(place->number, h->number + 1);
    h->number = place->number;
    h->line = place->line;
    h->why = *why;
    return ks_buf_appendf(&h->names, "! ");
}

static const struct ks_manifest_ops lenient = {.on_object = on_object, .on_bad = on_bad};
static const struct ks_manifest_ops strict = {.on_object = on_object};

struct feeding {
    int fd;
    struct ks_str text;
    size_t piece; /* bytes a write */
};

static void *feed(void *arg)
{
    struct feeding *f = arg;

    while (f->text.len > 0) {
        size_t len = f->text.len < f->piece ? f->text.len : f->piece;
        ssize_t n = write(f->fd, f->text.ptr, len);

        if (n < 0)
            break; /* the reader has had enough */
        f->text = ks_str_sub(f->text, (size_t)n, f->text.len);
    }
    close(f->fd);
    return NULL;
}

/* Through a pipe, in pieces: how bytes arrive must not matter. */
static ks_rc read_pieces(struct ks_str text, size_t piece, const struct ks_manifest_ops *ops,
                         struct harvest *h, struct ks_error *err)
{
    struct feeding feeding = {.text = text, .piece = piece};
    pthread_t thread;
    int ends[2];
    ks_rc rc;

    ks_buf_init(&h->names, 8u << 20);
    assert_int_equal(pipe(ends), 0);
    feeding.fd = ends[1];
    assert_int_equal(pthread_create(&thread, NULL, feed, &feeding), 0);
    rc = ks_manifest_read_fd(ends[0], "FILE", ops, h, err);
    close(ends[0]);
    assert_int_equal(pthread_join(thread, NULL), 0);
    return rc;
}

static void expect(const char *text, const char *names)
{
    static const size_t pieces[] = {1, 7, 1u << 20};

    for (size_t i = 0; i < KS_ARRAY_LEN(pieces); i++) {
        struct harvest h = {.number = 0};
        struct ks_error err = {0};

        if (read_pieces(ks_str_from(text), pieces[i], &lenient, &h, &err))
            fail_msg("'%s': %s", text, err.msg);
        assert_string_equal(h.names.data ? h.names.data : "", names);
        ks_buf_fini(&h.names);
    }
}

#define OBJECT(name) "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"" name "\"}}"

static void every_form(void **state)
{
    (void)state;
    expect("", "");
    expect(" \n\n", "");
    expect(OBJECT("a"), "a ");
    expect(OBJECT("a") "\n", "a ");
    expect("\xef\xbb\xbf" OBJECT("a"), "a ");
    expect(OBJECT("a") "\n" OBJECT("b") "\n\n  " OBJECT("c"), "a b c ");
    expect(OBJECT("a") "\r\n" OBJECT("b") "\r\n", "a b ");
    expect("{\n \"kind\": \"Pod\",\n \"metadata\": {\"name\": \"a\"}\n}\n", "a ");
    expect("kind: Pod\nmetadata:\n  name: a\n---\nkind: Pod\nmetadata: {name: b}\n", "a b ");
    expect("---\n# empty\n---\nkind: Pod\nmetadata: {name: b}\n...\n", "b ");
    expect("{kind: Pod, metadata: {name: a}}\n", "a ");
    expect(OBJECT("a") "\n---\nkind: Pod\nmetadata: {name: b}\n", "a b ");
    expect("  kind: Pod\n  metadata: {name: a}\n", "a ");
}

static void lists_are_flattened(void **state)
{
    (void)state;
    expect("{\"kind\":\"List\",\"items\":[" OBJECT("a") "," OBJECT("b") "]}", "a b ");
    expect("{\"kind\":\"PodList\",\n\"items\":[\n" OBJECT("a") ",\n" OBJECT("b") "]}", "a b ");
    expect("{\"items\":[" OBJECT("a") "],\"kind\":\"List\"}\n" OBJECT("b"), "a b ");
    expect("kind: List\nitems:\n- kind: Pod\n  metadata: {name: a}\n", "a ");
    expect("{\"kind\":\"List\",\"items\":[]}", "");
    expect("{\"kind\":\"Menu\",\"items\":[1],\"metadata\":{\"name\":\"m\"}}", "m ");
    expect("{\"kind\":\"List\",\"items\":[{\"kind\":\"List\",\"items\":[]}," OBJECT("b") "]}",
           "! b ");
    expect("{\"kind\":\"List\",\"items\":[7," OBJECT("b") "]}", "! b ");
}

static void expect_fault(const char *text, const char *fault)
{
    struct harvest h = {.number = 0};
    struct ks_error err = {0};

    assert_int_equal(read_pieces(ks_str_from(text), 1u << 20, &lenient, &h, &err), KS_RC_OK);
    assert_string_equal(h.names.data, "! ");
    assert_string_equal(h.why.msg, fault);
    ks_buf_fini(&h.names);
}

static void lists_that_are_none(void **state)
{
    static const char no_items[] = "it says that it is a list, and has no items";
    static const char odd_items[] = "it says that it is a list, and its items are something else";

    (void)state;
    expect_fault("{\"kind\":\"List\"}", no_items);
    expect_fault("kind: List\nmetadata: {name: x}\n", no_items);
    expect_fault("{\"kind\":\"PodList\",\"apiVersion\":\"v1\"}", no_items);
    expect_fault("{\"kind\":\"List\",\"items\":{}}", odd_items);
    expect_fault("{\"kind\":\"List\",\"items\":\"x\"}", odd_items);
    expect_fault("just words\n", "this is plain text, no object");
    /* A custom resource may be called so. */
    expect("{\"kind\":\"AllowList\",\"metadata\":{\"name\":\"a\"}}", "a ");
    expect("{\"kind\":\"AllowList\",\"metadata\":{\"name\":\"a\"},\"items\":{}}", "a ");
}

#define PRETTY(name) "{\n  \"kind\": \"Pod\",\n  \"metadata\": {\n  \"name\": \"" name "\"\n}\n}\n"

static void documents_follow_one_another(void **state)
{
    (void)state;
    expect(PRETTY("a") PRETTY("b"), "a b ");
    expect(PRETTY("a") "\n" OBJECT("b") "\n" PRETTY("c") "---\nkind: Pod\nmetadata: {name: d}\n",
           "a b c d ");
    expect(OBJECT("a") OBJECT("b") " " OBJECT("c") "\n" OBJECT("d"), "a b c d ");
    expect(PRETTY("a") "{\n \"x\": nope nope,\n {\n}\n}\n" PRETTY("b"), "a ! b ");
    expect(PRETTY("a") "{\n \"x\": [\n" PRETTY("b"), "a ! b ");
    expect("{\n\"kind\": \"List\",\n\"items\": [\n" OBJECT("a") "\n]\n}\n" PRETTY("b"), "a b ");
    expect("{kind: Pod, metadata: {name: a}}\n---\n{kind: Pod, metadata: {name: b}}\n", "a b ");
}

static ks_rc on_kind(void *ctx, const struct ks_manifest_place *place, struct ks_json_value object,
                     struct ks_error *err)
{
    struct harvest *h = ctx;

    (void)object; /* its place says it */
    (void)err;    /* not needed */
    h->number = place->number;
    return ks_buf_appendf(&h->names, "%.*s %.*s, ", KS_STR_ARGS(place->api_version),
                          KS_STR_ARGS(place->kind));
}

static void expect_kinds(struct ks_str text, const char *kinds)
{
    static const struct ks_manifest_ops ops = {.on_object = on_kind};
    struct harvest h = {.number = 0};
    struct ks_error err = {0};

    assert_int_equal(read_pieces(text, 1u << 20, &ops, &h, &err), KS_RC_OK);
    assert_memory_equal(h.names.data, kinds, strlen(kinds));
    ks_buf_fini(&h.names);
}

static void a_typed_list_says_what_its_items_are(void **state)
{
    struct ks_buf text;
    ks_rc rc;

    (void)state;
    expect_kinds(KS_LIT("{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"items\":[{\"a\":1},"
                        "{\"kind\":\"X\",\"apiVersion\":\"y/v1\"},{\"kind\":5}]}\n{\"a\":1}"),
                 "v1 Pod, y/v1 X,  ,  , ");
    expect_kinds(KS_LIT("{\"kind\":\"List\",\"apiVersion\":\"v1\",\"items\":[{\"a\":1}]}"), " , ");
    expect("{\"kind\":\"List\",\"items\":null}", "");
    expect("{\"kind\":\"List\",\"items\":null}\n" OBJECT("a"), "a ");
    ks_buf_init(&text, 64u << 20);
    rc = ks_buf_append_str(&text, KS_LIT("{\"kind\":\"DaemonSetList\",\"apiVersion\":\"apps/v1\","
                                         "\"metadata\":{},\"items\":[{\"a\":1}"));
    for (size_t i = 0; !rc && i < 300000; i++)
        rc = ks_buf_append_str(&text, KS_LIT(",{\"metadata\":{\"name\":\"a\"},\"x\":[1,2,3,4]}"));
    assert_int_equal(rc, KS_RC_OK);
    assert_int_equal(ks_buf_append_str(&text, KS_LIT("]}")), KS_RC_OK);
    expect_kinds(ks_buf_str(&text), "apps/v1 DaemonSet, apps/v1 DaemonSet, ");
    ks_buf_fini(&text);
}

static void a_bad_line_spoils_itself(void **state)
{
    struct harvest h = {.number = 0};
    struct ks_error err = {0};
    const char *text = OBJECT("a") "\n{\"kind\":}\n" OBJECT("b") "\n[1]\n5\n" OBJECT("c") "\n";

    (void)state;
    expect(text, "a ! b ! ! c ");
    expect("{\"kind\":nope}\n" OBJECT("b"), "! b ");
    assert_int_equal(read_pieces(ks_str_from(text), 1000, &strict, &h, &err), KS_RC_PARSE);
    assert_non_null(strstr(err.msg, "FILE, line 2: "));
    assert_string_equal(h.names.data, "a ");
    ks_buf_fini(&h.names);
}

static void expect_error(struct ks_str text, ks_rc rc, const char *says)
{
    struct harvest h = {.number = 0};
    struct ks_error err = {0};

    assert_int_equal(read_pieces(text, 1u << 20, &lenient, &h, &err), rc);
    if (!strstr(err.msg, says))
        fail_msg("says: %s", err.msg);
    ks_buf_fini(&h.names);
}

static void broken_documents(void **state)
{
    (void)state;
    expect_error(KS_LIT("{\n\"kind\": \"Pod\"\n"), KS_RC_PARSE, "FILE: ");
    expect_error(KS_LIT("a: [1\n"), KS_RC_PARSE, "FILE: ");
    expect_error(KS_LIT("a: 1\n\tb: 2\n"), KS_RC_PARSE, "line 2");
    expect_error(KS_LIT("{\"a\":\"\0\"\n"), KS_RC_PARSE, "FILE: ");
}

static void the_first_no_ends_it(void **state)
{
    static const char *const texts[] = {
        OBJECT("a") "\n" OBJECT("b") "\n" OBJECT("c"),
        "{\"kind\":\"List\",\"items\":[" OBJECT("a") "," OBJECT("b") "," OBJECT("c") "]}",
        "kind: P\nmetadata: {name: a}\n---\nkind: P\nmetadata: {name: b}\n---\nkind: P\n",
        "{\n\"kind\":\"List\",\"items\":[" OBJECT("a") "," OBJECT("b") "," OBJECT("c") "]}",
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(texts); i++) {
        struct harvest h = {.stop_at = 2};
        struct ks_error err = {0};

        assert_int_equal(read_pieces(ks_str_from(texts[i]), 1u << 20, &lenient, &h, &err),
                         KS_RC_CANCELLED);
        assert_string_equal(err.msg, "enough");
        assert_string_equal(h.names.data, "a ");
        ks_buf_fini(&h.names);
    }
}

#define MIB ((size_t)1 << 20)

/* before, then `count` times item (with commas between when there are several), then after */
static void big_make(struct ks_buf *out, const char *before, const char *item, size_t count,
                     const char *separator, const char *after)
{
    ks_rc rc;

    ks_buf_init(out, 64 * MIB);
    rc = ks_buf_append_str(out, ks_str_from(before));
    for (size_t i = 0; !rc && i < count; i++) {
        rc = ks_buf_append_str(out, ks_str_from(item));
        if (!rc && i + 1 < count)
            rc = ks_buf_append_str(out, ks_str_from(separator));
    }
    if (!rc)
        rc = ks_buf_append_str(out, ks_str_from(after));
    assert_int_equal(rc, KS_RC_OK);
}

static void expect_count(const struct ks_buf *text, size_t count)
{
    struct harvest h = {.number = 0};
    struct ks_error err = {0};

    if (read_pieces(ks_buf_str(text), 1u << 20, &lenient, &h, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(h.number, count);
    assert_null(strchr(h.names.data, '!'));
    ks_buf_fini(&h.names);
}

#define WIDE_ITEM                                                                                  \
    "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"},\"x\":[1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8]}"

static void lists_and_lines_of_any_size(void **state)
{
    struct ks_buf text;

    (void)state;
    /* More than one object may have, pretty-printed (first line alone is no object). */
    big_make(&text, "{\"kind\":\"List\",\n\"items\":[", WIDE_ITEM, 240000, ",\n", "]}\n");
    assert_true(text.len > 17 * MIB);
    expect_count(&text, 240000);
    ks_buf_fini(&text);
    /* More parts than one object may have, in one line. */
    big_make(&text, "{\"kind\":\"List\",\"items\":[", WIDE_ITEM, 20000, ",", "]}");
    expect_count(&text, 20000);
    ks_buf_fini(&text);
    big_make(&text, "", WIDE_ITEM, 240000, "\n", "");
    expect_count(&text, 240000);
    ks_buf_fini(&text);
}

static void expect_spoilt(const struct ks_buf *text, const char *names)
{
    struct harvest h = {.number = 0};
    struct ks_error err = {0};

    assert_int_equal(read_pieces(ks_buf_str(text), 1u << 20, &lenient, &h, &err), KS_RC_OK);
    assert_string_equal(h.names.data, names);
    assert_string_equal(h.why.msg, "an object of more than 16 MiB");
    ks_buf_fini(&h.names);
}

static void too_large(void **state)
{
    KS_CLEANUP(ks_freep) char *blanks = ks_alloc(17 * MIB + 1);
    struct harvest h = {.number = 0};
    struct ks_error err = {0};
    struct ks_buf text;

    (void)state;
    assert_non_null(blanks);
    memset(blanks, ' ', 17 * MIB);
    blanks[17 * MIB] = '\0';
    big_make(&text, OBJECT("a") "\n{", blanks, 1, "", "}\n" OBJECT("b"));
    assert_int_equal(read_pieces(ks_buf_str(&text), 1u << 20, &lenient, &h, &err), KS_RC_OK);
    assert_string_equal(h.names.data, "a ! b ");
    assert_non_null(strstr(h.why.msg, "16 MiB"));
    ks_buf_fini(&h.names);
    ks_buf_fini(&text);
    big_make(&text, "{\n\"kind\":\"Pod\",\"x\":\"", blanks, 1, "", "\"}");
    expect_spoilt(&text, "! ");
    ks_buf_fini(&text);
    /* The first line is too large: what follows is read, and it is called an object. */
    big_make(&text, "{\"kind\":\"Pod\",\"x\":\"", blanks, 1, "", "\"}\n" OBJECT("b") "\n");
    expect_spoilt(&text, "! b ");
    ks_buf_fini(&text);
    big_make(&text, "kind: Pod\n", blanks, 1, "", "");
    expect_error(ks_buf_str(&text), KS_RC_LIMIT, "16 MiB of YAML");
    ks_buf_fini(&text);
    big_make(&text, "{\"kind\":\"List\",\"items\":[", WIDE_ITEM, 240000, ",", "");
    expect_error(ks_buf_str(&text), KS_RC_PARSE, "cut off");
    ks_buf_fini(&text);
}

static void lines_come_as_they_are_written(void **state)
{
    struct ks_error err = {0};
    struct harvest h = {.stop_at = 1};
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    ks_buf_init(&h.names, 100);
    assert_int_equal(write(ends[1], OBJECT("a") "\n", sizeof(OBJECT("a"))), sizeof(OBJECT("a")));
    /* The other end stays open: waiting for more than a line would hang. */
    assert_int_equal(ks_manifest_read_fd(ends[0], "FILE", &lenient, &h, &err), KS_RC_CANCELLED);
    ks_buf_fini(&h.names);
    close(ends[0]);
    close(ends[1]);
}

static void unreadable_files(void **state)
{
    struct harvest h = {.number = 0};
    struct ks_error err = {0};

    (void)state;
    assert_int_equal(ks_manifest_read("/nonexistent", &lenient, &h, &err), KS_RC_NOTFOUND);
    assert_int_equal(ks_manifest_read("/tmp", &lenient, &h, &err), KS_RC_IO);
    assert_string_equal(err.msg, "/tmp: Is a directory");
}

static void run_all(void *ctx)
{
    struct ks_str text = ks_str_from(ctx);
    struct harvest h = {.number = 0};
    struct ks_error err = {0};
    int ends[2];
    ks_rc rc;

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], text.ptr, text.len), text.len);
    close(ends[1]);
    ks_buf_init(&h.names, 1000);
    rc = ks_manifest_read_fd(ends[0], "FILE", &strict, &h, &err);
    close(ends[0]);
    if (!ks_alloc_failed()) {
        assert_int_equal(rc, KS_RC_OK);
        assert_string_equal(h.names.data, "a b ");
    }
    ks_buf_fini(&h.names);
}

static void survives_without_memory(void **state)
{
    static const char *const texts[] = {
        OBJECT("a") "\n" OBJECT("b"),
        "{\n\"kind\":\"List\",\"items\":[" OBJECT("a") "," OBJECT("b") "]}",
        "kind: P\nmetadata: {name: a}\n---\nkind: P\nmetadata: {name: b}\n",
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(texts); i++)
        assert_true(ks_torture(run_all, (void *)(uintptr_t)texts[i]) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form),
        cmocka_unit_test(lists_are_flattened),
        cmocka_unit_test(lists_that_are_none),
        cmocka_unit_test(documents_follow_one_another),
        cmocka_unit_test(a_typed_list_says_what_its_items_are),
        cmocka_unit_test(a_bad_line_spoils_itself),
        cmocka_unit_test(broken_documents),
        cmocka_unit_test(the_first_no_ends_it),
        cmocka_unit_test(lists_and_lines_of_any_size),
        cmocka_unit_test(too_large),
        cmocka_unit_test(lines_come_as_they_are_written),
        cmocka_unit_test(unreadable_files),
        cmocka_unit_test(survives_without_memory),
    };

    (void)signal(SIGPIPE, SIG_IGN); /* readers that have had enough close the pipe */
    return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
