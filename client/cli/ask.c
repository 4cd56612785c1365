/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server names the field that it refuses, in the message of UNIMPLEMENTED (it knows the field and
 * does not serve it) or of INVALID_ARGUMENT.
 *
 * Invariant: a call is made again only with less than it had asked for, so that this ends.
 *
 * Thread: main.
 */
#include "client/cli/ask.h"

#include <stdint.h>
#include <string.h>

#include "client/cli/report.h"

void ks_ask_options(const struct ks_ask *ask, const struct ks_options *options,
                    Kstatus__V1__WatchOptions *out)
{
    kstatus__v1__watch_options__init(out);
    out->profile = (char *)(uintptr_t)ks_profile_text(options->profile); /* it only reads */
    out->include_causes = !ask->lacks_causes;
}

static bool refuses(const struct kstatus_error *error, const char *field)
{
    return (error->code == KSTATUS_UNIMPLEMENTED || error->code == KSTATUS_INVALID_ARGUMENT) &&
           strstr(error->message, field);
}

bool ks_ask_less(struct ks_ask *ask, const struct ks_ask *asked, const struct ks_options *options,
                 const struct kstatus_error *error)
{
    if (asked->lacks_causes || !refuses(error, "include_causes"))
        return false;
    if (!ask->lacks_causes)
        ks_report_complain("kstatusd at %s is too old to tell causes: they are left out",
                           options->server);
    ask->lacks_causes = true;
    return true;
}
