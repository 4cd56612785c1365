/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target over the files of its corpus without libFuzzer, so that every build checks the
 * corpus.
 *
 * Fails when the corpus is empty: a target that tests nothing must not pass.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *dir, const char *name, struct ks_buf *content)
{
    struct ks_error err = {0};
    char path[4096];
    int n = snprintf(path, sizeof(path), "%s/%s", dir, name);

    if (n < 0 || (size_t)n >= sizeof(path))
        return 0;
    if (ks_file_read(path, content, &err)) {
        fprintf(stderr, "%s\n", err.msg);
        return -1;
    }
    (void)LLVMFuzzerTestOneInput((const uint8_t *)(content->data ? content->data : ""),
                                 content->len);
    return 1;
}

int main(int argc, char **argv)
{
    struct ks_buf content;
    struct dirent *entry;
    int ran = 0;
    DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;

    if (!dir) {
        fprintf(stderr, "usage: %s CORPUS-DIRECTORY\n", argv[0]);
        return 2;
    }
    ks_buf_init(&content, 64u << 20);
    while ((entry = readdir(dir)) != NULL) {
        int result = entry->d_name[0] == '.' ? 0 : run_file(argv[1], entry->d_name, &content);

        if (result < 0)
            return 1;
        ran += result;
    }
    (void)closedir(dir); /* read only */
    ks_buf_fini(&content);
    printf("%d inputs\n", ran);
    return ran ? 0 : 1;
}
