/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strict base64: whole groups, padding at the end only; white space between characters is
 * tolerated, because YAML folds long values.
 *
 * Thread: any.
 */
#include "base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int digit_of(char c)
{
    const char *hit = c ? strchr(alphabet, c) : NULL;

    return hit ? (int)(hit - alphabet) : -1;
}

/* Appends the bytes of one group of four with `pad` '=' at its end. */
static ks_rc group_decode(const int group[4], int pad, struct ks_buf *out)
{
    unsigned bits = (unsigned)group[0] << 18 | (unsigned)group[1] << 12 | (unsigned)group[2] << 6 |
                    (unsigned)group[3];
    char bytes[3] = {(char)(bits >> 16), (char)(bits >> 8), (char)bits};

    return ks_buf_append(out, bytes, (size_t)(3 - pad));
}

ks_rc ks_base64_decode(struct ks_str text, struct ks_buf *out)
{
    int group[4] = {0};
    int filled = 0, pad = 0;
    ks_rc rc;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        int digit = digit_of(c);

        if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
            continue;
        if (c == '=' && filled >= 2 && pad < 2) {
            pad++;
            digit = 0;
        } else if (digit < 0 || pad) {
            return KS_RC_PARSE;
        }
        group[filled++] = digit;
        if (filled < 4)
            continue;
        rc = group_decode(group, pad, out);
        if (rc)
            return rc;
        filled = 0;
    }
    return filled ? KS_RC_PARSE : KS_RC_OK;
}

ks_rc ks_base64_encode(struct ks_str data, struct ks_buf *out)
{
    for (size_t i = 0; i < data.len; i += 3) {
        size_t n = data.len - i < 3 ? data.len - i : 3;
        unsigned bits = 0;
        char chars[4];
        ks_rc rc;

        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (k < n ? (unsigned char)data.ptr[i + k] : 0u);
        for (size_t k = 0; k < 4; k++)
            chars[k] = k <= n ? alphabet[bits >> (18 - 6 * k) & 63] : '=';
        rc = ks_buf_append(out, chars, 4);
        if (rc)
            return rc;
    }
    return KS_RC_OK;
}
