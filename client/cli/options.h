/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of one subcommand, as the user gave it: checked for form, not yet for meaning.
 *
 * Thread: main.  Owns: the lists; strings are argv's.  Limits: KS_OPTIONS_FILES_MAX files.
 */
#ifndef KS_CLIENT_CLI_OPTIONS_H
#define KS_CLIENT_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"
#include "base/error.h"
#include "status/status.h"

#define KS_OPTIONS_FILES_MAX 256
#define KS_DEFAULT_SERVER "127.0.0.1:7443"

/* Which options a subcommand takes. */
enum {
    KS_OPTION_SERVER = 1 << 0,
    KS_OPTION_SCOPE = 1 << 1, /* -n, -A, -l, --field-selector */
    KS_OPTION_FILE = 1 << 2,
    KS_OPTION_OUTPUT = 1 << 3,
    KS_OPTION_FOR = 1 << 4,
    KS_OPTION_TIMEOUT = 1 << 5,
    KS_OPTION_COMPUTE = 1 << 6, /* --compare, --explain, --children, --now */
    KS_OPTION_PROFILE = 1 << 7,
    KS_OPTION_RECONNECT = 1 << 8, /* --no-reconnect */
    KS_OPTION_WAIT = 1 << 10, /* --for GOAL, --fail-fast, --stable-for, --min-basis, --applied */
};

typedef enum { KS_OUTPUT_TABLE, KS_OUTPUT_JSON } ks_output;

/* Numbers are those of kstatus.v1.Until.Goal. */
typedef enum {
    KS_WAIT_FOR_CURRENT = 1,
    KS_WAIT_FOR_NOT_FOUND = 2,
    KS_WAIT_FOR_TERMINAL = 3,
} ks_wait_goal;

struct ks_options {
    const char *server; /* never NULL after ks_options_parse */
    const char *ns;     /* NULL: not given */
    bool all_namespaces;
    const char *label_selector; /* NULL: not given */
    const char *field_selector; /* NULL: not given */
    const char *files[KS_OPTIONS_FILES_MAX];
    size_t file_count;
    ks_output output;
    int64_t for_ms;     /* -1: not given */
    int64_t timeout_ms; /* -1: not given */
    int64_t now_ms;     /* wall time; only when has_now */
    bool has_now;
    ks_profile profile;
    bool has_profile;       /* it was given */
    ks_profile compared[2]; /* only when wants_comparison */
    bool wants_comparison;
    bool wants_explanation;
    bool wants_children;
    ks_wait_goal wait_goal; /* KS_WAIT_FOR_CURRENT unless given */
    bool fail_fast;
    int64_t stable_ms;  /* 0: not given */
    ks_basis min_basis; /* UNSPECIFIED: not given */
    bool is_applied;    /* manifests carry what the API server answered */
    bool no_reconnect;
    bool wants_help;
    char **args; /* what is no option, in order */
    size_t arg_count;
};

/*
 * argv[0] is the subcommand. allowed: KS_OPTION_* bits. server: the default, or NULL. Options and
 * arguments may be mixed; argv is reordered. KS_RC_INVALID with a sentence that says what to do.
 */
KS_MUST_USE ks_rc ks_options_parse(int argc, char **argv, unsigned allowed, const char *server,
                                   struct ks_options *out, struct ks_error *err);

/* "1h2m3s", "26s", "500ms", "1.5s"; not negative, at most a year. */
KS_MUST_USE ks_rc ks_duration_parse(const char *text, int64_t *out_ms, struct ks_error *err);

#endif
