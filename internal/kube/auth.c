/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One identity's credential, from whichever source its configuration names.
 *
 * A value has a generation; a refusal (401) names the generation that was refused, so that a herd
 * of requests that fail with one value causes one refresh, and none when the value has been
 * replaced in the meantime.
 *
 * Plugins: a credential is usable until it expires or is refused, and due for a refresh a little
 * earlier. While a refresh runs, requests wait (AGAIN). A refresh that fails leaves a usable
 * credential in use. A credential that was expired when it came is taken as one without expiry: our
 * clock may be the wrong one, and a 401 will tell.
 *
 * Invariants: (1) at most one plugin runs; (2) it is not started before not_before_ms; (3) a
 * refused value is never given out again by a source that can have another one; (4) values are
 * wiped before their memory goes back.
 *
 * Thread: the loop's.  It does not start refreshes on its own: an idle service runs no plugins.
 */
#include "kube/auth.h"

#include "base/alloc.h"
#include "base/base64.h"
#include "base/file.h"
#include "kube/exec.h"
#include "kube/token.h"

#define FILE_REREAD_MS 60000
#define FILE_RETRY_MS 1000 /* as long as there is no token at all */
#define PLUGIN_FLOOR_MS 1000
#define EARLY_REFRESH_MAX_MS 30000
#define MAX_BASIC_BYTES ((size_t)64 << 10)
#define EXPLANATION_MAX_BYTES ((size_t)16 << 10)

enum source { SOURCE_FIXED, SOURCE_FILE, SOURCE_PLUGIN };

struct ks_auth {
    struct ks_loop *loop;
    const struct ks_kube_config *config;
    void (*on_change)(void *ctx);
    void *ctx;
    enum source source;
    char *header; /* NULL: no header */
    char *cert;
    char *key;
    uint64_t generation; /* 0: no value yet */
    uint64_t refused;    /* the generation last refused */
    struct ks_error error;
    bool is_failing; /* the last attempt to fetch a value: error says why */

    bool was_read; /* FILE: and when, the last time */
    int64_t read_ms;

    struct ks_exec *exec; /* PLUGIN: the run that is under way */
    struct ks_backoff backoff;
    int64_t not_before_ms;
    int64_t refresh_wall_ms;
    int64_t expires_wall_ms;
};

static void secret_free(char *text)
{
    if (text)
        ks_free_secret(text, strlen(text));
}

static void secret_freep(char **text)
{
    secret_free(*text);
}

static void value_set(struct ks_auth *auth, char *header, char *cert, char *key)
{
    secret_free(auth->header);
    secret_free(auth->cert);
    secret_free(auth->key);
    auth->header = header;
    auth->cert = cert;
    auth->key = key;
    auth->generation++;
}

/* "Bearer token"; NULL when out of memory. */
static char *bearer_build(struct ks_str token)
{
    static const char scheme[] = "Bearer ";
    size_t scheme_len = sizeof(scheme) - 1;
    char *header = ks_alloc(scheme_len + token.len + 1);

    if (!header)
        return NULL;
    memcpy(header, scheme, scheme_len);
    memcpy(header + scheme_len, token.ptr, token.len);
    header[scheme_len + token.len] = '\0';
    return header;
}

static ks_rc basic_build(const struct ks_kube_config *config, char **out, struct ks_error *err)
{
    struct ks_buf plain, header;
    ks_rc rc;

    ks_buf_init(&plain, MAX_BASIC_BYTES);
    ks_buf_init(&header, MAX_BASIC_BYTES * 2);
    rc =
        ks_buf_appendf(&plain, "%s:%s", config->username, config->password ? config->password : "");
    if (!rc)
        rc = ks_buf_append_str(&header, KS_LIT("Basic "));
    if (!rc)
        rc = ks_base64_encode(ks_buf_str(&plain), &header);
    secret_free(ks_buf_take(&plain));
    if (rc) {
        secret_free(ks_buf_take(&header));
        return ks_fail(err, rc, "user name and password do not fit into a header");
    }
    *out = ks_buf_take(&header);
    return KS_RC_OK;
}

static ks_rc fixed_build(const struct ks_kube_config *config, char **out, struct ks_error *err)
{
    if (config->username)
        return basic_build(config, out, err);
    if (!config->token)
        return KS_RC_OK;
    if (!ks_token_is_valid(ks_str_from(config->token)))
        return ks_fail(err, KS_RC_CONFIG, "the token has characters that no bearer token may have");
    *out = bearer_build(ks_str_from(config->token));
    return *out ? KS_RC_OK : ks_fail(err, KS_RC_NOMEM, "no memory for a token");
}

static enum source source_of(const struct ks_kube_config *config)
{
    if (config->exec)
        return SOURCE_PLUGIN;
    return config->token_file ? SOURCE_FILE : SOURCE_FIXED;
}

ks_rc ks_auth_new(struct ks_loop *loop, const struct ks_kube_config *config,
                  void (*on_change)(void *ctx), void *ctx, struct ks_auth **out,
                  struct ks_error *err)
{
    struct ks_auth *auth = ks_alloc0(sizeof(*auth));
    char *header = NULL;
    ks_rc rc;

    if (!auth)
        return ks_fail(err, KS_RC_NOMEM, "no memory for credentials");
    auth->loop = loop;
    auth->config = config;
    auth->on_change = on_change;
    auth->ctx = ctx;
    auth->source = source_of(config);
    auth->backoff = (struct ks_backoff){.base_ms = 1000, .cap_ms = 60000};
    auth->not_before_ms = INT64_MIN;
    if (auth->source != SOURCE_PLUGIN) {
        rc = fixed_build(config, &header, err);
        if (rc) {
            ks_auth_free(auth);
            return rc;
        }
        if (header || auth->source == SOURCE_FIXED)
            value_set(auth, header, NULL, NULL);
    }
    *out = auth;
    return KS_RC_OK;
}

struct ks_auth *ks_auth_free(struct ks_auth *auth)
{
    if (!auth)
        return NULL;
    ks_exec_cancel(auth->exec);
    secret_free(auth->header);
    secret_free(auth->cert);
    secret_free(auth->key);
    ks_free(auth);
    return NULL;
}

/* The file's token as a header value. */
static ks_rc file_read(const char *path, char **out, struct ks_error *err)
{
    struct ks_buf text;
    struct ks_str token;
    ks_rc rc;

    ks_buf_init(&text, KS_TOKEN_MAX + 64);
    rc = ks_file_read(path, &text, err);
    token = ks_str_trim(ks_buf_str(&text));
    if (!rc && !token.len)
        rc = ks_fail(err, KS_RC_UNAUTHENTICATED, "the token file %s is empty", path);
    if (!rc && !ks_token_is_valid(token))
        rc = ks_fail(err, KS_RC_UNAUTHENTICATED, "the token file %s does not hold a bearer token",
                     path);
    if (!rc) {
        *out = bearer_build(token);
        rc = *out ? KS_RC_OK : ks_fail(err, KS_RC_NOMEM, "no memory for a token");
    }
    secret_free(ks_buf_take(&text));
    return rc;
}

/* Keeps the old value when there is no new one. */
static void file_refresh(struct ks_auth *auth)
{
    KS_CLEANUP(secret_freep) char *header = NULL;

    auth->was_read = true;
    auth->read_ms = ks_loop_now_ms(auth->loop);
    auth->is_failing = file_read(auth->config->token_file, &header, &auth->error) != KS_RC_OK;
    if (auth->is_failing)
        return;
    if (!auth->header || strcmp(auth->header, header) != 0)
        value_set(auth, KS_TAKE(header), NULL, NULL);
}

static bool file_is_due(const struct ks_auth *auth)
{
    int64_t wait_ms = auth->generation ? FILE_REREAD_MS : FILE_RETRY_MS;

    return !auth->was_read || ks_loop_now_ms(auth->loop) - auth->read_ms >= wait_ms;
}

static void plugin_failed(struct ks_auth *auth, const struct ks_error *err)
{
    auth->error = *err;
    auth->is_failing = true;
    auth->not_before_ms = ks_loop_now_ms(auth->loop) + ks_backoff_next_ms(&auth->backoff);
}

static ks_rc plugin_value_set(struct ks_auth *auth, const struct ks_exec_credential *c)
{
    KS_CLEANUP(secret_freep) char *header = c->token.len ? bearer_build(c->token) : NULL;
    KS_CLEANUP(secret_freep) char *cert = c->cert_pem.len ? ks_str_dup(c->cert_pem) : NULL;
    KS_CLEANUP(secret_freep) char *key = c->key_pem.len ? ks_str_dup(c->key_pem) : NULL;

    if ((c->token.len && !header) || (c->cert_pem.len && !cert) || (c->key_pem.len && !key))
        return KS_RC_NOMEM;
    value_set(auth, KS_TAKE(header), KS_TAKE(cert), KS_TAKE(key));
    return KS_RC_OK;
}

/* A tenth of the lifetime before the end, at most 30 s. */
static void plugin_times_set(struct ks_auth *auth, int64_t expires_wall_ms)
{
    int64_t wall_ms = ks_loop_wall_ms(auth->loop);
    int64_t early_ms;

    auth->expires_wall_ms = KS_EXEC_NO_EXPIRY;
    auth->refresh_wall_ms = KS_EXEC_NO_EXPIRY;
    if (expires_wall_ms == KS_EXEC_NO_EXPIRY || expires_wall_ms <= wall_ms)
        return;
    early_ms = (expires_wall_ms - wall_ms) / 10;
    if (early_ms > EARLY_REFRESH_MAX_MS)
        early_ms = EARLY_REFRESH_MAX_MS;
    auth->expires_wall_ms = expires_wall_ms;
    auth->refresh_wall_ms = expires_wall_ms - early_ms;
}

static bool is_refused(const struct ks_auth *auth)
{
    return auth->generation && auth->refused == auth->generation;
}

static void on_plugin_done(void *ctx, ks_rc rc, const struct ks_exec_credential *credential,
                           const struct ks_error *err)
{
    struct ks_auth *auth = ctx;
    bool was_refused = is_refused(auth);
    struct ks_error failure = {0};

    auth->exec = NULL;
    if (rc) {
        plugin_failed(auth, err);
    } else if (plugin_value_set(auth, credential)) {
        ks_fail(&failure, KS_RC_NOMEM, "no memory for a plugin's credential");
        plugin_failed(auth, &failure);
    } else {
        auth->is_failing = false;
        plugin_times_set(auth, credential->expires_wall_ms);
        /* A plugin whose credentials are refused one after the other is not run at each refusal. */
        if (!was_refused)
            ks_backoff_reset(&auth->backoff);
        auth->not_before_ms = ks_loop_now_ms(auth->loop) +
                              (was_refused ? ks_backoff_next_ms(&auth->backoff) : PLUGIN_FLOOR_MS);
        ks_fail(&auth->error, KS_RC_UNAUTHENTICATED, "Unauthorized");
        ks_auth_refusal_explain(auth, &auth->error);
    }
    auth->on_change(auth->ctx);
}

static bool plugin_may_run(const struct ks_auth *auth)
{
    return ks_loop_now_ms(auth->loop) >= auth->not_before_ms;
}

static bool plugin_is_due(const struct ks_auth *auth)
{
    return !auth->generation || is_refused(auth) ||
           ks_loop_wall_ms(auth->loop) >= auth->refresh_wall_ms;
}

/* AGAIN while a run is under way, else whether what is held can be used. */
static ks_rc plugin_refresh(struct ks_auth *auth)
{
    struct ks_error failure = {0};

    if (!auth->exec && plugin_is_due(auth) && plugin_may_run(auth) &&
        ks_exec_start(auth->loop, auth->config->exec, on_plugin_done, auth, &auth->exec, &failure))
        plugin_failed(auth, &failure);
    if (auth->exec)
        return KS_RC_AGAIN;
    if (!auth->generation || is_refused(auth) ||
        ks_loop_wall_ms(auth->loop) >= auth->expires_wall_ms)
        return KS_RC_UNAUTHENTICATED;
    return KS_RC_OK;
}

/* What was sent, and what to look at. */
static ks_rc refusal_describe(const struct ks_kube_config *c, struct ks_buf *out)
{
    const char *origin = c->origin ? c->origin : "the configuration";

    if (c->exec)
        return ks_buf_appendf(out,
                              "what the credential plugin %s gave (%s): run the plugin by hand, "
                              "and see whom it logs in, and where",
                              c->exec->command, origin);
    if (c->token_file)
        return ks_buf_appendf(out, "the token in the file %s: see who writes it, and when last",
                              c->token_file);
    if (c->token)
        return ks_buf_appendf(out,
                              "the token of %s: it may have expired, or be of another cluster; "
                              "fetch a new one",
                              origin);
    if (c->username)
        return ks_buf_appendf(out, "the user name and password of %s: check both", origin);
    if (c->cert_pem || c->cert_file)
        return ks_buf_appendf(out,
                              "the client certificate of %s: check that it has not expired, and "
                              "that it is of this cluster",
                              origin);
    return ks_buf_appendf(out,
                          "a request without credentials: %s names none; give its user a token, "
                          "a certificate or a plugin",
                          origin);
}

void ks_auth_refusal_explain(const struct ks_auth *auth, struct ks_error *err)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(EXPLANATION_MAX_BYTES);
    struct ks_error said = *err;

    if (refusal_describe(auth->config, &text) == KS_RC_OK)
        (void)ks_fail(err, said.rc, "the API server %s refused (%s) %s", /* passed on */
                      auth->config->server, said.msg, text.data);
}

ks_rc ks_auth_get(struct ks_auth *auth, struct ks_credential *out, struct ks_error *err)
{
    ks_rc rc = KS_RC_OK;

    if (auth->source == SOURCE_FILE && file_is_due(auth))
        file_refresh(auth);
    if (auth->source == SOURCE_PLUGIN)
        rc = plugin_refresh(auth);
    else if (!auth->generation)
        rc = KS_RC_UNAUTHENTICATED;
    if (rc == KS_RC_AGAIN)
        return rc;
    if (rc)
        return ks_fail(err, rc, "%s", auth->error.msg);
    *out = (struct ks_credential){
        .authorization = ks_str_from(auth->header),
        .cert_pem = auth->cert,
        .key_pem = auth->key,
        .generation = auth->generation,
    };
    return KS_RC_OK;
}

const struct ks_error *ks_auth_failure(const struct ks_auth *auth)
{
    return auth->is_failing ? &auth->error : NULL;
}

bool ks_auth_refused(struct ks_auth *auth, uint64_t generation)
{
    if (generation != auth->generation)
        return true;
    if (auth->source == SOURCE_FIXED)
        return false;
    if (auth->source == SOURCE_FILE) {
        file_refresh(auth);
        return generation != auth->generation;
    }
    auth->refused = generation;
    return auth->exec || plugin_may_run(auth);
}
