/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_jsmn FILE: lets jsmn alone tokenize the one document in FILE for some seconds, and prints
 * documents per second of CPU time. It is built as internal/json builds it (strict, with parent
 * links), and its tokens are there before. --once does it once, and prints how many tokens.
 *
 * Thread: one.
 */
#include <stdio.h>
#include <time.h>

#define JSMN_STATIC
#define JSMN_STRICT
#define JSMN_PARENT_LINKS
#include <jsmn.h>

#include "base/file.h"
#include "base/str.h"

#define FILE_MAX_BYTES ((size_t)16 << 20)
#define TOKENS_MAX 65536
#define BENCH_SECONDS 2

static double cpu_seconds(void)
{
    struct timespec t = {0};

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* zero would only never end the bench */
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int tokenize(struct ks_str text)
{
    static jsmntok_t tokens[TOKENS_MAX];
    jsmn_parser parser;

    jsmn_init(&parser);
    return jsmn_parse(&parser, text.ptr, text.len, tokens, TOKENS_MAX);
}

static double bench(struct ks_str text)
{
    double start = cpu_seconds();
    size_t count = 0;
    double spent;

    do {
        for (unsigned i = 0; i < 256; i++)
            count += tokenize(text) > 0;
        spent = cpu_seconds() - start;
    } while (spent < BENCH_SECONDS);
    return (double)count / spent;
}

int main(int argc, char **argv)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(FILE_MAX_BYTES);
    bool is_once = argc == 3 && ks_str_is(ks_str_from(argv[1]), "--once");
    struct ks_error err = {0};
    int count;

    if (argc != 2 && !is_once) {
        fprintf(stderr, "usage: bench_jsmn [--once] FILE\n");
        return 2;
    }
    if (ks_file_read(argv[argc - 1], &text, &err)) {
        fprintf(stderr, "bench_jsmn: %s\n", err.msg);
        return 1;
    }
    count = tokenize(ks_buf_str(&text));
    if (count < 1) {
        fprintf(stderr, "bench_jsmn: %s: jsmn finds no document of at most %d tokens (%d)\n",
                argv[argc - 1], TOKENS_MAX, count);
        return 1;
    }
    if (is_once)
        printf("%d\n", count);
    else
        printf("%.0f\n", bench(ks_buf_str(&text)));
    return 0;
}
