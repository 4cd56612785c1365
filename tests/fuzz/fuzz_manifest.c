/* SPDX-License-Identifier: Apache-2.0 */
/* layer: client */
/*
 * Manifests of any bytes: YAML, JSON, lists, lines.
 *
 * Properties: objects and bad ones are numbered without gaps; an object is a map and no list; a
 * failure has a sentence; a lenient reader sees at least as many objects as a strict one.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/str.h"
#include "json/path.h"
#include "client/cli/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct count {
    size_t number;
    size_t objects;
};

static void require(bool holds)
{
    if (!holds)
        abort();
}

static ks_rc on_object(void *ctx, const struct ks_manifest_place *place,
                       struct ks_json_value object, struct ks_error *err)
{
    struct count *count = ctx;

    (void)err; /* has nothing to say */
    require(place->number == ++count->number);
    require(ks_json_type_of(object) == KS_JSON_MAP);
    (void)ks_json_lenient_str(object, "metadata.name", ""); /* must only be readable */
    count->objects++;
    return KS_RC_OK;
}

static ks_rc on_bad(void *ctx, const struct ks_manifest_place *place, const struct ks_error *why)
{
    struct count *count = ctx;

    require(place->number == ++count->number);
    require(why->msg[0] != '\0');
    return KS_RC_OK;
}

static struct count run(int fd, const struct ks_manifest_ops *ops)
{
    struct count count = {.number = 0};
    struct ks_error err = {0};
    ks_rc rc;

    require(lseek(fd, 0, SEEK_SET) == 0);
    rc = ks_manifest_read_fd(fd, "FILE", ops, &count, &err);
    require(rc == KS_RC_OK || err.msg[0] != '\0');
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ks_manifest_ops lenient = {.on_object = on_object, .on_bad = on_bad};
    static const struct ks_manifest_ops strict = {.on_object = on_object};
    int fd = memfd_create("manifest", MFD_CLOEXEC);

    if (fd < 0)
        return 0;
    require(write(fd, data, size) == (ssize_t)size);
    require(run(fd, &lenient).objects >= run(fd, &strict).objects);
    close(fd);
    return 0;
}
