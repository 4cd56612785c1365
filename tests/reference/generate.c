/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verdict_generate SEED FIRST COUNT: writes the objects FIRST to FIRST + COUNT - 1 of a seed, one a
 * line: the time of judgement in milliseconds, a blank, the object. With --families before the
 * seed, families instead: the objects of one with a separator between (family.h). An object depends
 * on the seed and its number alone, so any part of a run can be made again.
 *
 * Thread: one.  It does not: look at verdicts.
 */
#include <inttypes.h>
#include <stdio.h>

#include "family.h"
#include "object.h"

typedef void (*write_fn)(struct text *t, int64_t *out_now_ms);

static bool write_lines(struct text *t, write_fn write, int64_t seed, int64_t first, int64_t count)
{
    for (int64_t i = first; i < first + count; i++) {
        int64_t now_ms;

        text_start(t, seed, i);
        write(t, &now_ms);
        if (t->rc)
            return false;
        printf("%" PRId64 " ", now_ms);
        (void)fwrite(t->out.data, 1, t->out.len, stdout); /* failure is seen at the end */
        (void)putchar('\n');
    }
    return fflush(stdout) == 0 && !ferror(stdout);
}

int main(int argc, char **argv)
{
    struct text t = {.out = KS_BUF(TEXT_MAX)};
    int64_t seed, first, count;
    write_fn write = object_write;
    bool is_ok;

    if (argc > 1 && ks_str_is(ks_str_from(argv[1]), "--families")) {
        write = family_write;
        argc--;
        argv++;
    }
    if (argc != 4 || !ks_str_to_int64(ks_str_from(argv[1]), &seed) ||
        !ks_str_to_int64(ks_str_from(argv[2]), &first) ||
        !ks_str_to_int64(ks_str_from(argv[3]), &count)) {
        fputs("usage: verdict_generate [--families] SEED FIRST COUNT\n", stderr);
        return 2;
    }
    is_ok = write_lines(&t, write, seed, first, count);
    if (!is_ok)
        fputs("verdict_generate: cannot write an object\n", stderr);
    ks_buf_fini(&t.out);
    return is_ok ? 0 : 1;
}
