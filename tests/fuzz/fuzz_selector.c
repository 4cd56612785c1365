/* SPDX-License-Identifier: Apache-2.0 */
/* layer: watcher */
/*
 * Selectors and names from clients: any bytes are taken or refused, a refusal says why, and what is
 * taken holds no byte that could end or extend a query parameter once it is percent-encoded.
 */
#include <stdint.h>
#include <stdlib.h>

#include "watcher/selector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool is_true)
{
    if (!is_true)
        abort();
}

static bool has_control(struct ks_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        if (c < ' ' && c != '\t' && c != '\r' && c != '\n')
            return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ks_str text = ks_str_make((const char *)data, size);
    struct ks_error err = {0};

    if (ks_label_selector_check(text, &err) == KS_RC_OK)
        expect(!has_control(text) && ks_str_is_utf8(text));
    else
        expect(err.rc == KS_RC_INVALID && err.msg[0]);
    if (ks_field_selector_check(text, &err) == KS_RC_OK) {
        expect(!has_control(text) && ks_str_is_utf8(text));
        (void)ks_field_selector_is_lasting(text); /* it must only end */
    }
    if (ks_object_name_check(text, &err) == KS_RC_OK)
        expect(size > 0 && size <= 253 && ks_str_chr(text, '/') < 0 && ks_str_chr(text, '%') < 0);
    if (ks_namespace_check(text, &err) == KS_RC_OK)
        expect(size > 0 && size <= 63 && ks_object_name_check(text, NULL) == KS_RC_OK);
    return 0;
}
