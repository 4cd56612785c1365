/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of kstatusd, checked once and constant afterwards.
 *
 * Thread: any.  Owns: nothing; texts are borrowed from argv.  Limits: KS_CONFIG_LISTEN_MAX
 * addresses, 64 workers.
 */
#ifndef KS_SERVER_CONFIG_H
#define KS_SERVER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/base.h"
#include "base/error.h"
#include "base/log.h"
#include "server/address.h"
#include "server/limits.h"

#define KS_CONFIG_LISTEN_MAX 8

typedef enum { KS_CONFIG_RUN, KS_CONFIG_HELP, KS_CONFIG_VERSION } ks_config_action;

struct ks_config {
    ks_config_action action;
    struct ks_address listen[KS_CONFIG_LISTEN_MAX];
    size_t listen_count;
    struct ks_address http;
    bool has_http;
    const char *kubeconfig; /* or NULL */
    const char *context;    /* or NULL */
    unsigned workers;
    enum ks_log_format log_format;
    enum ks_log_level log_level;
    bool may_listen_unsafely;
    struct ks_limits limits;
};

/* argv[0] is the program's name. KS_RC_INVALID: the sentence says which option is wrong and how it
 * should be. */
KS_MUST_USE ks_rc ks_config_parse(int argc, char *const *argv, struct ks_config *out,
                                  struct ks_error *err);

/* What --help prints. */
extern const char ks_config_usage[];

#endif
