/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One entry of a kubeconfig (a cluster, a user, a context) and typed access to its fields. Private
 * to the kubeconfig reader.
 *
 * Thread: any; reads files where the entry names some.  Owns: nothing.  Limits: 1 MiB a file.
 *
 * Every failure is KS_RC_CONFIG (or NOMEM) and says which entry of which file it is about.
 */
#ifndef KS_KUBE_STANZA_H
#define KS_KUBE_STANZA_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "json/json.h"
#include "kube/config.h"

#define KS_CONFIG_FILE_MAX ((size_t)1 << 20)

struct ks_stanza {
    struct ks_json_value map;
    const char *file;    /* that defines it; relative paths start from its folder */
    const char *section; /* "cluster", "user", "context" */
    struct ks_str name;
    bool may_read_files;
};

ks_rc ks_stanza_fail(const struct ks_stanza *stanza, struct ks_error *err, const char *fmt, ...)
    KS_PRINTF(3, 4);
ks_rc ks_stanza_no_memory(struct ks_error *err);

/* NULL when the field is absent, null or empty. */
KS_MUST_USE ks_rc ks_stanza_text(const struct ks_stanza *stanza, const char *key, char **out,
                                 struct ks_error *err);
KS_MUST_USE ks_rc ks_stanza_flag(const struct ks_stanza *stanza, const char *key, bool *out,
                                 struct ks_error *err);
/* As text; made relative to the file's folder. */
KS_MUST_USE ks_rc ks_stanza_path(const struct ks_stanza *stanza, const char *key, char **out,
                                 struct ks_error *err);
/* KEY names a file, KEY-data holds base64; both at once are an error. The content comes out for
 * either, the path for a file. */
KS_MUST_USE ks_rc ks_stanza_pem(const struct ks_stanza *stanza, const char *key, char **out_path,
                                char **out_pem, struct ks_error *err);

/* NULL-ended lists of strings. */
KS_MUST_USE ks_rc ks_stanza_texts(const struct ks_stanza *stanza, const char *key, size_t max,
                                  char ***out, struct ks_error *err);
char **ks_texts_free(char **texts);

/* What the entry says, into config. */
KS_MUST_USE ks_rc ks_stanza_read_cluster(const struct ks_stanza *stanza,
                                         struct ks_kube_config *config, struct ks_error *err);
KS_MUST_USE ks_rc ks_stanza_read_user(const struct ks_stanza *stanza, struct ks_kube_config *config,
                                      struct ks_error *err);
/* The user's exec member; `cluster` is for provideClusterInfo. */
KS_MUST_USE ks_rc ks_stanza_read_exec(const struct ks_stanza *user, const struct ks_stanza *cluster,
                                      struct ks_kube_config *config, struct ks_error *err);

#endif
