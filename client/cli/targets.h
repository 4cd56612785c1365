/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the user wants to see, as kubectl takes it, turned into the targets of a request:
 *
 *     deploy/web sts/db             objects, each with its resource
 *     deploy web api                objects of one resource; deploy,sts web: of several
 *     pods  /  deploy,sts,job       all objects of one or several resources, narrowed by -l and
 * --field-selector -f FILE                       the objects in manifests
 *
 * Resource words go to the server as they are: it knows what the cluster serves.
 *
 * Thread: one at a time.  Owns: everything it hands out.  Limits: KS_TARGETS_MAX targets;
 * the server takes KS_CALL_TARGETS_MAX of them in a call.
 */
#ifndef KS_CLIENT_CLI_TARGETS_H
#define KS_CLIENT_CLI_TARGETS_H

#include <kstatus/v1/status_service.pb-c.h>

#include "base/base.h"
#include "base/error.h"

#include "client/cli/options.h"

#define KS_TARGETS_MAX 4096
#define KS_CALL_TARGETS_MAX 64
#define KS_CALLS_MAX (KS_TARGETS_MAX / KS_CALL_TARGETS_MAX)

struct ks_targets {
    Kstatus__V1__Target *list[KS_TARGETS_MAX]; /* target_id is the index + 1 */
    size_t count;
};

/* Reads the -f files too. KS_RC_INVALID, KS_RC_LIMIT or a file's error, with a sentence that says
 * what to do. */
KS_MUST_USE ks_rc ks_targets_init(struct ks_targets *t, const struct ks_options *options,
                                  struct ks_error *err);
void ks_targets_fini(struct ks_targets *t);

/* How many calls the targets take, and those of one call. */
size_t ks_targets_calls(const struct ks_targets *t);
struct ks_targets_part {
    Kstatus__V1__Target **list;
    size_t count;
};
struct ks_targets_part ks_targets_part(struct ks_targets *t, size_t call);

/* As the user would write it: "deploy/web", "pods -l app=x"; "?" for an id that is not ours. */
const char *ks_targets_label(const struct ks_targets *t, uint32_t target_id);
/* Whether the target names one object. */
bool ks_targets_is_object(const struct ks_targets *t, uint32_t target_id);

/* How targets are written, for the --help of the commands that take them. */
#define KS_TARGETS_HELP                                                                            \
    "  deploy/web sts/db   objects, each with its resource\n"                                      \
    "  deploy web api      objects of one resource\n"                                              \
    "  pods                all objects of a resource; deploy,sts,job: of several\n"                \
    "\n"                                                                                           \
    "  -n, --namespace NS        the namespace (default: \"default\"; for named objects\n"         \
    "                            kstatusd's own default)\n"                                        \
    "  -A, --all-namespaces      all namespaces, for resources without names\n"                    \
    "  -l, --selector LABELS     only objects with these labels: app=web,tier!=cache\n"            \
    "      --field-selector FIELDS\n"                                                              \
    "                            only objects with these fields: metadata.name=web\n"              \
    "  -f, --filename FILE       the objects in a manifest (YAML or JSON); - is standard\n"        \
    "                            input; may be repeated\n"

#endif
