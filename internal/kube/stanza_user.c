/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kubeconfig's user entry, all but its exec member: token, password, certificate, impersonation.
 *
 * Everything that will stand in a header is checked here, where the message can still name the
 * entry.
 *
 * Thread: any; reads certificate and key files, not the token file: that is read when it is needed.
 */
#include "base/alloc.h"
#include "kube/stanza.h"
#include "kube/token.h"

#define MAX_GROUPS 128
#define MAX_EXTRA ((size_t)64)

static ks_rc token_read(const struct ks_stanza *s, struct ks_kube_config *config,
                        struct ks_error *err)
{
    ks_rc rc = ks_stanza_text(s, "token", &config->token, err);

    if (!rc)
        rc = ks_stanza_path(s, "tokenFile", &config->token_file, err);
    if (!rc && config->token && !ks_token_is_valid(ks_str_from(config->token)))
        rc = ks_stanza_fail(s, err,
                            "token has characters that no bearer token may have, or is "
                            "longer than 16 KiB");
    return rc;
}

static ks_rc password_read(const struct ks_stanza *s, struct ks_kube_config *config,
                           struct ks_error *err)
{
    ks_rc rc = ks_stanza_text(s, "username", &config->username, err);

    if (!rc)
        rc = ks_stanza_text(s, "password", &config->password, err);
    if (rc)
        return rc;
    if (config->password && !config->username)
        return ks_stanza_fail(s, err, "password is given without username");
    if (config->username && (config->token || config->token_file))
        return ks_stanza_fail(s, err, "a token and a user name are both given: keep one");
    if (config->username && strchr(config->username, ':'))
        return ks_stanza_fail(s, err, "username has a colon in it");
    return KS_RC_OK;
}

static ks_rc certificate_read(const struct ks_stanza *s, struct ks_kube_config *config,
                              struct ks_error *err)
{
    ks_rc rc = ks_stanza_pem(s, "client-certificate", &config->cert_file, &config->cert_pem, err);
    bool has_cert, has_key;

    if (!rc)
        rc = ks_stanza_pem(s, "client-key", &config->key_file, &config->key_pem, err);
    if (rc)
        return rc;
    has_cert = config->cert_pem || config->cert_file;
    has_key = config->key_pem || config->key_file;
    if (has_cert && !has_key)
        return ks_stanza_fail(s, err, "client-certificate is given without client-key");
    if (has_key && !has_cert)
        return ks_stanza_fail(s, err, "client-key is given without client-certificate");
    return KS_RC_OK;
}

static ks_rc identity_check(const struct ks_stanza *s, const char *key, const char *value,
                            struct ks_error *err)
{
    if (value && !ks_identity_is_valid(ks_str_from(value)))
        return ks_stanza_fail(s, err, "%s cannot stand in a header", key);
    return KS_RC_OK;
}

/* as-user-extra is a map of lists; it becomes key and value by turns. */
static ks_rc extra_read(const struct ks_stanza *s, struct ks_kube_config *config,
                        struct ks_error *err)
{
    struct ks_stanza extra = *s;
    size_t n = 0;

    extra.map = ks_json_get(s->map, "as-user-extra");
    if (!ks_json_count(extra.map))
        return KS_RC_OK;
    config->as_extra = ks_alloc_array(2 * MAX_EXTRA + 1, sizeof(char *));
    if (!config->as_extra)
        return ks_stanza_no_memory(err);
    for (struct ks_json_value member = ks_json_first(extra.map); !ks_json_is_absent(member);
         member = ks_json_next(member)) {
        struct ks_str key = ks_json_key(member);

        if (!ks_identity_is_valid(key) || ks_json_type_of(member) != KS_JSON_LIST)
            return ks_stanza_fail(s, err, "as-user-extra is no map of lists of strings");
        for (struct ks_json_value v = ks_json_first(member); !ks_json_is_absent(v);
             v = ks_json_next(v)) {
            struct ks_str text = {0};

            if (n >= 2 * MAX_EXTRA || !ks_json_to_str(v, &text) || !ks_identity_is_valid(text))
                return ks_stanza_fail(s, err,
                                      "as-user-extra has a value that cannot stand in a "
                                      "header, or more than %zu",
                                      MAX_EXTRA);
            config->as_extra[n] = ks_str_dup(key);
            if (config->as_extra[n]) /* the list ends at its first NULL */
                config->as_extra[n + 1] = ks_str_dup(text);
            if (!config->as_extra[n] || !config->as_extra[n + 1])
                return ks_stanza_no_memory(err);
            n += 2;
        }
    }
    return KS_RC_OK;
}

static ks_rc impersonation_read(const struct ks_stanza *s, struct ks_kube_config *config,
                                struct ks_error *err)
{
    ks_rc rc = ks_stanza_text(s, "as", &config->as_user, err);

    if (!rc)
        rc = ks_stanza_text(s, "as-uid", &config->as_uid, err);
    if (!rc)
        rc = ks_stanza_texts(s, "as-groups", MAX_GROUPS, &config->as_groups, err);
    if (!rc)
        rc = extra_read(s, config, err);
    if (!rc)
        rc = identity_check(s, "as", config->as_user, err);
    if (!rc)
        rc = identity_check(s, "as-uid", config->as_uid, err);
    for (size_t i = 0; !rc && config->as_groups && config->as_groups[i]; i++)
        rc = identity_check(s, "as-groups", config->as_groups[i], err);
    if (rc)
        return rc;
    if (!config->as_user && (config->as_uid || config->as_groups || config->as_extra))
        return ks_stanza_fail(s, err, "as-uid, as-groups or as-user-extra is given without as");
    return KS_RC_OK;
}

ks_rc ks_stanza_read_user(const struct ks_stanza *s, struct ks_kube_config *config,
                          struct ks_error *err)
{
    ks_rc rc = token_read(s, config, err);

    if (!rc)
        rc = password_read(s, config, err);
    if (!rc)
        rc = certificate_read(s, config, err);
    if (!rc)
        rc = impersonation_read(s, config, err);
    if (!rc && ks_json_type_of(ks_json_get(s->map, "auth-provider")) == KS_JSON_MAP)
        rc = ks_stanza_fail(s, err,
                            "auth-provider was removed from Kubernetes: use the cloud "
                            "provider's exec plugin");
    return rc;
}
