/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Impersonation headers, built once.
 *
 * Invariant: Impersonate-User is always among them. The others without it would be refused by the
 * API server, or, where something in between drops a header, make the request run as ourselves.
 *
 * Thread: any.
 */
#include "kube/impersonation.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/str.h"

#define EXTRA_PREFIX "Impersonate-Extra-"
#define MAX_NAME_BYTES ((size_t)4096)

struct ks_impersonation {
    struct ks_http_header *headers;
    size_t count;
    char **names; /* of the extras, which are encoded */
    size_t name_count;
};

static size_t count_of(char *const *list)
{
    size_t n = 0;

    while (list && list[n])
        n++;
    return n;
}

static void header_put(struct ks_impersonation *im, const char *name, const char *value)
{
    im->headers[im->count++] = (struct ks_http_header){name, ks_str_from(value)};
}

/* The server lower-cases names and then decodes them, so that upper case has to be encoded, too. */
static ks_rc name_encode(const char *key, char **out)
{
    struct ks_buf name;
    ks_rc rc;

    ks_buf_init(&name, MAX_NAME_BYTES);
    rc = ks_buf_append_str(&name, KS_LIT(EXTRA_PREFIX));
    for (size_t i = 0; !rc && key[i]; i++) {
        char c = key[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';

        rc = is_plain ? ks_buf_append_byte(&name, c)
                      : ks_buf_appendf(&name, "%%%02X", (unsigned)(unsigned char)c);
    }
    if (!rc)
        *out = ks_buf_take(&name);
    ks_buf_fini(&name);
    return rc;
}

static ks_rc extras_put(struct ks_impersonation *im, char *const *extra)
{
    for (size_t i = 0; extra && extra[i]; i += 2) {
        ks_rc rc = name_encode(extra[i], &im->names[im->name_count]);

        if (rc)
            return rc;
        header_put(im, im->names[im->name_count++], extra[i + 1]);
    }
    return KS_RC_OK;
}

ks_rc ks_impersonation_new(const struct ks_kube_config *config, struct ks_impersonation **out,
                           struct ks_error *err)
{
    size_t groups = count_of(config->as_groups), extras = count_of(config->as_extra) / 2;
    struct ks_impersonation *im;
    ks_rc rc = KS_RC_NOMEM;

    *out = NULL;
    assert(config->as_user || (!config->as_uid && !groups && !extras));
    if (!config->as_user)
        return KS_RC_OK;
    im = ks_alloc0(sizeof(*im));
    if (!im)
        return ks_fail(err, KS_RC_NOMEM, "no memory for impersonation");
    im->headers = ks_alloc_array(2 + groups + extras, sizeof(*im->headers));
    im->names = ks_alloc_array(extras, sizeof(*im->names));
    if (im->headers && im->names) {
        header_put(im, "Impersonate-User", config->as_user);
        if (config->as_uid)
            header_put(im, "Impersonate-Uid", config->as_uid);
        for (size_t i = 0; i < groups; i++)
            header_put(im, "Impersonate-Group", config->as_groups[i]);
        rc = extras_put(im, config->as_extra);
    }
    if (rc) {
        ks_impersonation_free(im);
        return ks_fail(err, rc, "no memory for impersonation");
    }
    *out = im;
    return KS_RC_OK;
}

struct ks_impersonation *ks_impersonation_free(struct ks_impersonation *im)
{
    if (!im)
        return NULL;
    for (size_t i = 0; im->names && i < im->name_count; i++)
        ks_free(im->names[i]);
    ks_free(im->names);
    ks_free(im->headers);
    ks_free(im);
    return NULL;
}

const struct ks_http_header *ks_impersonation_headers(const struct ks_impersonation *im,
                                                      size_t *out_count)
{
    *out_count = im ? im->count : 0;
    return im ? im->headers : NULL;
}
