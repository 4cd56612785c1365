/* SPDX-License-Identifier: Apache-2.0 */
/* layer: kube */
/*
 * Error bodies from anywhere. The first two bytes choose the HTTP status. Every result has a code,
 * and a message without control bytes.
 */
#include <assert.h>
#include <stdint.h>

#include "kube/client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ks_kube_failure f = {0};

    if (size < 2)
        return 0;
    ks_kube_failure_from_body((data[0] << 8 | data[1]) % 600,
                              ks_str_make((const char *)data + 2, size - 2), &f);
    assert(f.rc != KS_RC_OK && f.error.rc == f.rc);
    assert(f.error.msg[0] && ks_str_is_utf8(ks_str_from(f.error.msg)));
    for (const char *c = f.error.msg; *c; c++)
        assert((unsigned char)*c >= ' ' && *c != 0x7f);
    assert(f.retry_after_ms >= -1 && f.retry_after_ms <= 60000);
    return 0;
}
