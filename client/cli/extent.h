/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a JSON value ends that begins with a bracket: brackets and strings are followed, nothing is
 * judged.
 *
 * Thread: any.  Owns: nothing.  The zero value is ready.
 */
#ifndef KS_CLIENT_CLI_EXTENT_H
#define KS_CLIENT_CLI_EXTENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct ks_extent {
    size_t depth;
    bool is_in_string;
    bool is_escaped;
};

/* Takes the next bytes, cut anywhere. Returns how many of them belong to the value when it closes
 * in them, else 0. */
size_t ks_extent_feed(struct ks_extent *extent, struct ks_str bytes);

#endif
