/* SPDX-License-Identifier: Apache-2.0 */
/* layer: kube */
/*
 * Kubeconfigs from anywhere. What is accepted has to be fit for headers and URLs; no file is read.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "kube/config.h"
#include "kube/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void identity_check(const char *name)
{
    assert(!name || ks_identity_is_valid(ks_str_from(name)));
}

/* A '@' in the path is a byte like any other; before it, it would make what precedes a user. */
static bool has_user(struct ks_str server)
{
    ptrdiff_t scheme_end = ks_str_chr(server, '/') + 2;
    struct ks_str rest = ks_str_sub(server, (size_t)scheme_end, server.len);
    ptrdiff_t slash = ks_str_chr(rest, '/');
    struct ks_str authority = slash < 0 ? rest : ks_str_sub(rest, 0, (size_t)slash);

    return ks_str_chr(authority, '@') >= 0;
}

static void config_check(const struct ks_kube_config *c)
{
    struct ks_str server = ks_str_from(c->server);
    int is_https = ks_str_starts(server, KS_LIT("https://"));

    assert(is_https || ks_str_starts(server, KS_LIT("http://")));
    assert(ks_str_chr(server, '\n') < 0 && !has_user(server));
    assert(c->ns && c->origin);
    assert(!c->token || ks_token_is_valid(ks_str_from(c->token)));
    assert(is_https || (!c->token && !c->token_file && !c->username && !c->exec && !c->cert_pem));
    assert(!c->is_insecure || (!c->ca_pem && !c->ca_file));
    assert(!c->exec || (c->exec->command && c->exec->args && c->exec->env));
    assert(c->as_user || (!c->as_uid && !c->as_groups && !c->as_extra));
    identity_check(c->as_user);
    for (size_t i = 0; c->as_groups && c->as_groups[i]; i++)
        identity_check(c->as_groups[i]);
    for (size_t i = 0; c->as_extra && c->as_extra[i]; i++)
        identity_check(c->as_extra[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ks_kube_config *config = NULL;
    struct ks_error err = {0};
    ks_rc rc = ks_kube_config_parse(ks_str_make((const char *)data, size), "/etc/kube/config", NULL,
                                    /* may_read_files= */ false, &config, &err);

    if (rc)
        assert(!config && err.msg[0]);
    else
        config_check(config);
    ks_kube_config_free(config);
    return 0;
}
