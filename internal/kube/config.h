/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the API server is and who we are there: a kubeconfig (KUBECONFIG lists, contexts) or the
 * in-cluster service account, resolved to one immutable struct. shared/spec: informers 4.1 to 4.5.
 *
 * Order: an explicit path; else $KUBECONFIG, merged; else ~/.kube/config; else in-cluster; else an
 * error that names all of these places.
 *
 * Thread: any; blocks on disk.  Owns: all its strings.  Limits: 1 MiB a file, 16 files, 32 levels
 * of YAML.
 */
#ifndef KS_KUBE_CONFIG_H
#define KS_KUBE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

/* An exec credential plugin as the kubeconfig describes it. */
struct ks_exec_config {
    char *api_version;
    char *command;      /* made absolute when it contained a '/' */
    char **args;        /* NULL ends it; never NULL itself */
    char **env;         /* "NAME=value", NULL ends it; never NULL itself */
    char *install_hint; /* or NULL */
    char *
        cluster_json; /* spec.cluster for KUBERNETES_EXEC_INFO when provideClusterInfo, else NULL */
};

struct ks_kube_config {
    char *origin;          /* for messages: "/home/u/.kube/config, context prod" or "in-cluster" */
    char *server;          /* URL, prefix kept, no trailing slash */
    char *ns;              /* the context's namespace, "default" when it names none */
    char *tls_server_name; /* or NULL */
    char *ca_pem;          /* or NULL: system store */
    char *cert_pem;        /* or NULL */
    char *key_pem;         /* or NULL */
    char *ca_file; /* the files these were read from, or NULL: they are read again every 5 min */
    char *cert_file;
    char *key_file;
    char *token;      /* or NULL */
    char *token_file; /* or NULL: read again at most once a minute */
    char *username;   /* basic authentication, or NULL */
    char *password;
    char *proxy_url;             /* or NULL */
    struct ks_exec_config *exec; /* or NULL */
    bool is_insecure;
    bool is_in_cluster;
    bool no_compression;
    /* Impersonation (`as`), or NULL. */
    char *as_user;
    char *as_uid;
    char **as_groups; /* NULL ends it; NULL when none */
    char **as_extra;  /* key and value by turns; NULL ends it; NULL when none */
};

struct ks_kube_config_options {
    const char *path;    /* --kubeconfig, or NULL */
    const char *context; /* --context, or NULL: current-context */
    /* Tests: NULL reads the process's environment and the usual places. */
    const char *(*getenv_fn)(const char *name);
    const char *service_account_dir; /* NULL: /var/run/secrets/kubernetes.io/serviceaccount */
};

/* KS_RC_CONFIG (what is wrong, in which file, and what to do), KS_RC_NOTFOUND (no configuration
 * anywhere). */
KS_MUST_USE ks_rc ks_kube_config_load(const struct ks_kube_config_options *options,
                                      struct ks_kube_config **out, struct ks_error *err);
/* Wipes credentials. Returns NULL; NULL is allowed. */
struct ks_kube_config *ks_kube_config_free(struct ks_kube_config *config);

/* Parses one kubeconfig text as if it were the file `path`: for tests and the fuzzer. Reads no
 * other file unless the text names one and may_read_files. */
KS_MUST_USE ks_rc ks_kube_config_parse(struct ks_str text, const char *path, const char *context,
                                       bool may_read_files, struct ks_kube_config **out,
                                       struct ks_error *err);

#endif
