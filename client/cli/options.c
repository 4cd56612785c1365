/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options are rows of one table: names, which subcommands take it, and the function that takes its
 * value. getopt_long splits the line; the sentences are ours.
 *
 * Thread: main (getopt has static state). Does not: open files or look at the meaning of targets.
 */
#include "client/cli/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/rfc3339.h"
#include "base/str.h"

#include "client/cli/address.h"

#define DURATION_MAX_MS (366ll * 24 * 3600 * 1000)

/* The group of what every subcommand takes. */
#define EVERYWHERE 0u

struct option_row {
    const char *name;
    char letter; /* 0: none */
    bool has_value;
    unsigned group;
    ks_rc (*take)(struct ks_options *options, const char *value, struct ks_error *err);
};

static ks_rc take_text(const char **out, const char *value, struct ks_error *err)
{
    if (!value[0])
        return ks_fail(err, KS_RC_INVALID, "the value is empty");
    *out = value;
    return KS_RC_OK;
}

static ks_rc take_server(struct ks_options *o, const char *value, struct ks_error *err)
{
    (void)err; /* looked at when the line is complete */
    o->server = value;
    return KS_RC_OK;
}

static ks_rc take_namespace(struct ks_options *o, const char *value, struct ks_error *err)
{
    return take_text(&o->ns, value, err);
}

static ks_rc take_all(struct ks_options *o, const char *value, struct ks_error *err)
{
    (void)value; /* none */
    (void)err;   /* cannot fail */
    o->all_namespaces = true;
    return KS_RC_OK;
}

static ks_rc take_labels(struct ks_options *o, const char *value, struct ks_error *err)
{
    return take_text(&o->label_selector, value, err);
}

static ks_rc take_fields(struct ks_options *o, const char *value, struct ks_error *err)
{
    return take_text(&o->field_selector, value, err);
}

static ks_rc take_file(struct ks_options *o, const char *value, struct ks_error *err)
{
    if (o->file_count == KS_OPTIONS_FILES_MAX)
        return ks_fail(err, KS_RC_LIMIT, "at most %d files", KS_OPTIONS_FILES_MAX);
    return take_text(&o->files[o->file_count++], value, err);
}

static ks_rc take_output(struct ks_options *o, const char *value, struct ks_error *err)
{
    if (strcmp(value, "table") == 0)
        o->output = KS_OUTPUT_TABLE;
    else if (strcmp(value, "json") == 0)
        o->output = KS_OUTPUT_JSON;
    else
        return ks_fail(err, KS_RC_INVALID, "'%s' is neither table nor json", value);
    return KS_RC_OK;
}

static ks_rc take_for(struct ks_options *o, const char *value, struct ks_error *err)
{
    return ks_duration_parse(value, &o->for_ms, err);
}

static ks_rc take_timeout(struct ks_options *o, const char *value, struct ks_error *err)
{
    return ks_duration_parse(value, &o->timeout_ms, err);
}

static ks_rc take_goal(struct ks_options *o, const char *value, struct ks_error *err)
{
    if (strcmp(value, "current") == 0)
        o->wait_goal = KS_WAIT_FOR_CURRENT;
    else if (strcmp(value, "not-found") == 0)
        o->wait_goal = KS_WAIT_FOR_NOT_FOUND;
    else if (strcmp(value, "terminal") == 0)
        o->wait_goal = KS_WAIT_FOR_TERMINAL;
    else
        return ks_fail(err, KS_RC_INVALID, "'%s' is none of current, not-found, terminal", value);
    return KS_RC_OK;
}

static ks_rc take_fail_fast(struct ks_options *o, const char *value, struct ks_error *err)
{
    (void)value; /* none */
    (void)err;   /* cannot fail */
    o->fail_fast = true;
    return KS_RC_OK;
}

static ks_rc take_stable_for(struct ks_options *o, const char *value, struct ks_error *err)
{
    return ks_duration_parse(value, &o->stable_ms, err);
}

static ks_rc take_min_basis(struct ks_options *o, const char *value, struct ks_error *err)
{
    static const struct {
        const char *name;
        ks_basis basis;
    } names[] = {{"rule", KS_BASIS_KIND_RULE},
                 {"condition", KS_BASIS_STANDARD_CONDITION},
                 {"generation", KS_BASIS_GENERATION_ONLY},
                 {"assumed", KS_BASIS_ASSUMED}};

    for (size_t i = 0; i < KS_ARRAY_LEN(names); i++) {
        if (strcmp(value, names[i].name) != 0)
            continue;
        o->min_basis = names[i].basis;
        return KS_RC_OK;
    }
    return ks_fail(err, KS_RC_INVALID, "'%s' is none of rule, condition, generation, assumed",
                   value);
}

static ks_rc take_applied(struct ks_options *o, const char *value, struct ks_error *err)
{
    (void)value; /* none */
    (void)err;   /* cannot fail */
    o->is_applied = true;
    return KS_RC_OK;
}

static ks_rc take_profile(struct ks_options *o, const char *value, struct ks_error *err)
{
    if (!ks_profile_parse(ks_str_from(value), &o->profile))
        return ks_fail(err, KS_RC_INVALID, "there is no profile '%s'; there are kstatus and strict",
                       value);
    o->has_profile = true;
    return KS_RC_OK;
}

static ks_rc take_compare(struct ks_options *o, const char *value, struct ks_error *err)
{
    struct ks_str second = ks_str_from(value);
    struct ks_str first;

    if (!ks_str_split(&second, ',', &first) || !ks_profile_parse(first, &o->compared[0]) ||
        !ks_profile_parse(second, &o->compared[1]) || o->compared[0] == o->compared[1])
        return ks_fail(err, KS_RC_INVALID, "'%s' is not two profiles; write kstatus,strict", value);
    o->wants_comparison = true;
    return KS_RC_OK;
}

static ks_rc take_explain(struct ks_options *o, const char *value, struct ks_error *err)
{
    (void)value; /* none */
    (void)err;   /* cannot fail */
    o->wants_explanation = true;
    return KS_RC_OK;
}

static ks_rc take_children(struct ks_options *o, const char *value, struct ks_error *err)
{
    o->wants_children = true;
    return take_explain(o, value, err);
}

static ks_rc take_now(struct ks_options *o, const char *value, struct ks_error *err)
{
    o->has_now = ks_rfc3339_parse(ks_str_from(value), &o->now_ms);
    if (!o->has_now)
        return ks_fail(err, KS_RC_INVALID, "'%s' is no time like 2026-11-24T13:46:51Z", value);
    return KS_RC_OK;
}

static ks_rc take_no_reconnect(struct ks_options *o, const char *value, struct ks_error *err)
{
    (void)value; /* none */
    (void)err;   /* cannot fail */
    o->no_reconnect = true;
    return KS_RC_OK;
}

static ks_rc take_help(struct ks_options *o, const char *value, struct ks_error *err)
{
    (void)value; /* none */
    (void)err;   /* cannot fail */
    o->wants_help = true;
    return KS_RC_OK;
}

static const struct option_row rows[] = {
    {"server", 's', true, KS_OPTION_SERVER, take_server},
    {"namespace", 'n', true, KS_OPTION_SCOPE, take_namespace},
    {"all-namespaces", 'A', false, KS_OPTION_SCOPE, take_all},
    {"selector", 'l', true, KS_OPTION_SCOPE, take_labels},
    {"field-selector", 0, true, KS_OPTION_SCOPE, take_fields},
    {"filename", 'f', true, KS_OPTION_FILE, take_file},
    {"output", 'o', true, KS_OPTION_OUTPUT, take_output},
    {"for", 0, true, KS_OPTION_FOR, take_for},
    {"timeout", 0, true, KS_OPTION_TIMEOUT, take_timeout},
    {"profile", 0, true, KS_OPTION_PROFILE, take_profile},
    {"compare", 0, true, KS_OPTION_COMPUTE, take_compare},
    {"explain", 0, false, KS_OPTION_COMPUTE, take_explain},
    {"children", 0, false, KS_OPTION_COMPUTE, take_children},
    {"now", 0, true, KS_OPTION_COMPUTE, take_now},
    {"for", 0, true, KS_OPTION_WAIT, take_goal},
    {"fail-fast", 0, false, KS_OPTION_WAIT, take_fail_fast},
    {"stable-for", 0, true, KS_OPTION_WAIT, take_stable_for},
    {"min-basis", 0, true, KS_OPTION_WAIT, take_min_basis},
    {"applied", 0, false, KS_OPTION_WAIT, take_applied},
    {"no-reconnect", 0, false, KS_OPTION_RECONNECT, take_no_reconnect},
    {"help", 'h', false, EVERYWHERE, take_help},
};

/* Rows without a letter get a number beyond all letters. */
#define CODE_BASE 256

static int row_code(size_t index)
{
    return rows[index].letter ? rows[index].letter : CODE_BASE + (int)index;
}

static const struct option_row *row_find(int code)
{
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        if (row_code(i) == code)
            return &rows[i];
    }
    return NULL;
}

/* What getopt_long is told: only the rows that the subcommand takes. */
struct grammar {
    struct option longs[KS_ARRAY_LEN(rows) + 1];
    char shorts[2 * KS_ARRAY_LEN(rows) + 2];
};

static void grammar_init(struct grammar *g, unsigned allowed)
{
    size_t longs = 0;
    size_t shorts = 0;

    g->shorts[shorts++] = ':'; /* so that a missing value is told apart from an unknown option */
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        if (rows[i].group != EVERYWHERE && !(rows[i].group & allowed))
            continue;
        g->longs[longs++] =
            (struct option){.name = rows[i].name,
                            .has_arg = rows[i].has_value ? required_argument : no_argument,
                            .val = row_code(i)};
        if (!rows[i].letter)
            continue;
        g->shorts[shorts++] = rows[i].letter;
        if (rows[i].has_value)
            g->shorts[shorts++] = ':';
    }
    g->longs[longs] = (struct option){.name = NULL};
    g->shorts[shorts] = '\0';
}

static ks_rc fail_option(const char *command, const char *word, int code, struct ks_error *err)
{
    if (code == ':')
        return ks_fail(err, KS_RC_INVALID, "%s needs a value; see `kstatus %s --help`", word,
                       command);
    if (strncmp(word, "--", 2) == 0 && optopt)
        return ks_fail(err, KS_RC_INVALID, "`%s`: this option takes no value", word);
    if (strncmp(word, "--", 2) == 0)
        return ks_fail(err, KS_RC_INVALID,
                       "`%s` is not an option of `kstatus %s`; see `kstatus %s --help`", word,
                       command, command);
    return ks_fail(err, KS_RC_INVALID,
                   "`-%c` is not an option of `kstatus %s`; see `kstatus %s --help`", optopt,
                   command, command);
}

static ks_rc take_option(struct ks_options *o, const struct option_row *row, struct ks_error *err)
{
    ks_rc rc = row->take(o, optarg ? optarg : "", err);

    return rc ? ks_wrap(err, rc, "--%s", row->name) : KS_RC_OK;
}

ks_rc ks_options_parse(int argc, char **argv, unsigned allowed, const char *server,
                       struct ks_options *out, struct ks_error *err)
{
    struct ks_options o = {
        .server = server ? server : KS_DEFAULT_SERVER,
        .for_ms = -1,
        .timeout_ms = -1,
        .wait_goal = KS_WAIT_FOR_CURRENT,
    };
    struct grammar grammar;
    int code;

    grammar_init(&grammar, allowed);
    opterr = 0;
    optind = 0; /* glibc: start afresh */
    while ((code = getopt_long(argc, argv, grammar.shorts, grammar.longs, NULL)) != -1) {
        const struct option_row *row = row_find(code);
        ks_rc rc =
            row ? take_option(&o, row, err) : fail_option(argv[0], argv[optind - 1], code, err);

        if (rc)
            return rc;
    }
    if ((allowed & KS_OPTION_SERVER) && !o.wants_help) {
        ks_rc rc = ks_address_check(o.server, err);

        if (rc)
            return rc;
    }
    o.args = argv + optind;
    o.arg_count = (size_t)(argc - optind);
    *out = o;
    return KS_RC_OK;
}

struct unit {
    const char *name;
    int64_t ms;
};

/* "ms" before "m", so that the longer name is found first. */
static const struct unit units[] = {{"h", 3600000}, {"ms", 1}, {"m", 60000}, {"s", 1000}};

static const struct unit *unit_take(struct ks_str *rest)
{
    for (size_t i = 0; i < KS_ARRAY_LEN(units); i++) {
        struct ks_str name = ks_str_from(units[i].name);

        if (ks_str_starts(*rest, name)) {
            *rest = ks_str_sub(*rest, name.len, rest->len);
            return &units[i];
        }
    }
    return NULL;
}

static size_t digits_count(struct ks_str text)
{
    size_t n = 0;

    while (n < text.len && text.ptr[n] >= '0' && text.ptr[n] <= '9')
        n++;
    return n;
}

/* Takes digits off the text: one to `most` of them. */
static bool digits_take(struct ks_str *rest, size_t most, int64_t *out)
{
    size_t n = digits_count(*rest);

    if (n == 0 || n > most || !ks_str_to_int64(ks_str_sub(*rest, 0, n), out))
        return false;
    *rest = ks_str_sub(*rest, n, rest->len);
    return true;
}

/* A number with up to three decimals, in thousandths. */
static bool number_take(struct ks_str *rest, int64_t *out_thousandths)
{
    int64_t whole;
    int64_t decimals = 0;

    if (!digits_take(rest, 9, &whole))
        return false;
    if (ks_str_starts(*rest, KS_LIT("."))) {
        size_t before;

        *rest = ks_str_sub(*rest, 1, rest->len);
        before = rest->len;
        if (!digits_take(rest, 3, &decimals))
            return false;
        for (size_t n = before - rest->len; n < 3; n++)
            decimals *= 10;
    }
    *out_thousandths = whole * 1000 + decimals;
    return true;
}

ks_rc ks_duration_parse(const char *text, int64_t *out_ms, struct ks_error *err)
{
    struct ks_str rest = ks_str_from(text);
    int64_t total = 0;

    do {
        const struct unit *unit = NULL;
        int64_t thousandths;

        if (number_take(&rest, &thousandths))
            unit = unit_take(&rest);
        if (!unit)
            return ks_fail(err, KS_RC_INVALID, "'%s' is no duration; write 26s, 1m30s or 500ms",
                           text);
        total += thousandths * unit->ms / 1000;
        if (total > DURATION_MAX_MS)
            return ks_fail(err, KS_RC_LIMIT, "'%s' is longer than a year", text);
    } while (rest.len > 0);
    *out_ms = total;
    return KS_RC_OK;
}
