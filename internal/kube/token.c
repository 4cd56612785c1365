/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of header values that carry an identity.
 *
 * Thread: any.
 */
#include "kube/token.h"

#define MAX_IDENTITY 1024

static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("-._~+/", c));
}

bool ks_token_is_valid(struct ks_str token)
{
    size_t i = 0;

    if (token.len > KS_TOKEN_MAX)
        return false;
    while (i < token.len && is_token_char(token.ptr[i]))
        i++;
    if (i == 0)
        return false;
    while (i < token.len && token.ptr[i] == '=')
        i++;
    return i == token.len;
}

bool ks_identity_is_valid(struct ks_str name)
{
    if (!name.len || name.len > MAX_IDENTITY)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] < ' ' || name.ptr[i] > '~')
            return false;
    }
    return name.ptr[0] != ' ' && name.ptr[name.len - 1] != ' ';
}
