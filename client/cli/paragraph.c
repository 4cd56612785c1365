/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wrapping goes word by word, and a word that is longer than a line stays whole: it may be a name
 * that somebody wants to copy.
 *
 * Invariant: texts of the cluster pass through text.c.
 *
 * Thread: any. Does not ask how wide the terminal is: explanations are read in tickets too.
 */
#include "client/cli/paragraph.h"

#include <string.h>

#include "client/cli/text.h"

ks_rc ks_paragraph_append_blanks(struct ks_buf *out, size_t count)
{
    ks_rc rc = KS_RC_OK;

    for (size_t i = 0; !rc && i < count; i++)
        rc = ks_buf_append_byte(out, ' ');
    return rc;
}

ks_rc ks_paragraph_append_wrapped(struct ks_buf *out, struct ks_str text, size_t column)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf safe = KS_BUF(KS_PARAGRAPH_MAX_BYTES);
    ks_rc rc =
        ks_text_append(&safe, ks_str_cut_utf8(text, KS_PARAGRAPH_MAX_BYTES / 4), KS_TEXT_UTF8);
    struct ks_str rest = ks_buf_str(&safe);
    struct ks_str word;
    size_t at = column;

    while (!rc && ks_str_split(&rest, ' ', &word)) {
        size_t width = ks_text_width(word, KS_TEXT_UTF8);
        bool is_first = at == column;

        if (word.len == 0)
            continue;
        if (!is_first && at + 1 + width > KS_PARAGRAPH_WIDTH) {
            rc = ks_buf_append_byte(out, '\n');
            if (!rc)
                rc = ks_paragraph_append_blanks(out, column);
            at = column;
        } else if (!is_first) {
            rc = ks_buf_append_byte(out, ' ');
            at++;
        }
        if (!rc)
            rc = ks_buf_append_str(out, word);
        at += width;
    }
    return rc ? rc : ks_buf_append_byte(out, '\n');
}

ks_rc ks_paragraph_append_label(struct ks_buf *out, const char *label)
{
    return ks_buf_appendf(out, "  %-*s", KS_PARAGRAPH_INDENT - 2, label);
}

ks_rc ks_paragraph_append(struct ks_buf *out, const char *label, struct ks_str text)
{
    ks_rc rc = ks_paragraph_append_label(out, label);

    return rc ? rc : ks_paragraph_append_wrapped(out, text, KS_PARAGRAPH_INDENT);
}

void ks_paragraph_set_label(struct ks_buf *out, size_t part, const char *label)
{
    if (out->len > part)
        memcpy(out->data + part + 2, label, strlen(label));
}
