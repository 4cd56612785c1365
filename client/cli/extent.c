/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A byte machine of three facts: how many brackets are open, whether a string is, whether its next
 * byte is escaped.
 *
 * Thread: any. Does not check that brackets match or that anything is JSON: the parser does.
 */
#include "client/cli/extent.h"

static void string_byte(struct ks_extent *e, char byte)
{
    if (e->is_escaped)
        e->is_escaped = false;
    else if (byte == '\\')
        e->is_escaped = true;
    else if (byte == '"')
        e->is_in_string = false;
}

size_t ks_extent_feed(struct ks_extent *e, struct ks_str bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        char byte = bytes.ptr[i];

        if (e->is_in_string)
            string_byte(e, byte);
        else if (byte == '"')
            e->is_in_string = true;
        else if (byte == '{' || byte == '[')
            e->depth++;
        else if ((byte == '}' || byte == ']') && e->depth > 0 && --e->depth == 0)
            return i + 1;
    }
    return 0;
}
