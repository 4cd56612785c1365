/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Comparing resource versions: by length, then byte by byte. Never by converting them to integers,
 * whose width nobody promised.
 *
 * Thread: any.
 */
#include "kube/rv.h"

bool ks_rv_is_well_formed(struct ks_str rv)
{
    if (rv.len == 0 || rv.ptr[0] == '0')
        return false;
    for (size_t i = 0; i < rv.len; i++) {
        if (rv.ptr[i] < '0' || rv.ptr[i] > '9')
            return false;
    }
    return true;
}

bool ks_rv_is_older(struct ks_str a, struct ks_str b)
{
    if (!ks_rv_is_well_formed(a) || !ks_rv_is_well_formed(b))
        return false;
    return a.len != b.len ? a.len < b.len : memcmp(a.ptr, b.ptr, a.len) < 0;
}

bool ks_rv_reaches(struct ks_str rv, struct ks_str min)
{
    return ks_str_eq(min, rv) || ks_rv_is_older(min, rv);
}

bool ks_rv_is_resumable(struct ks_str rv)
{
    return rv.len > 0 && rv.len <= KS_RV_MAX_BYTES && !ks_str_is(rv, "0");
}
