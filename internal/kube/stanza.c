/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Typed fields of kubeconfig entries.
 *
 * A field of the wrong type is an error, as it is for kubectl: a token that YAML reads as a number
 * has lost its leading zeros already, and guessing would send another credential than was meant.
 *
 * Thread: any.
 */
#include "kube/stanza.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "base/file.h"

ks_rc ks_stanza_fail(const struct ks_stanza *stanza, struct ks_error *err, const char *fmt, ...)
{
    char text[KS_ERROR_MSG_MAX];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args); /* cut if need be */
    va_end(args);
    return ks_fail(err, KS_RC_CONFIG, "%s \"%.*s\" in %s: %s", stanza->section,
                   KS_STR_ARGS(stanza->name), stanza->file, text);
}

static void secret_freep(char **text)
{
    if (*text)
        ks_free_secret(*text, strlen(*text));
}

ks_rc ks_stanza_no_memory(struct ks_error *err)
{
    return ks_fail(err, KS_RC_NOMEM, "no memory for the kubeconfig");
}

/* The text of a value that is a string without NUL; NULL for an empty one. */
static ks_rc value_text(const struct ks_stanza *s, const char *key, struct ks_json_value v,
                        char **out, struct ks_error *err)
{
    struct ks_str text;

    if (!ks_json_to_str(v, &text))
        return ks_json_type_of(v) == KS_JSON_STRING
                   ? ks_stanza_no_memory(err)
                   : ks_stanza_fail(s, err, "%s is no string: put quotes around it", key);
    if (ks_str_chr(text, '\0') >= 0)
        return ks_stanza_fail(s, err, "%s has a zero byte in it", key);
    if (!text.len)
        return KS_RC_OK;
    *out = ks_str_dup(text);
    return *out ? KS_RC_OK : ks_stanza_no_memory(err);
}

static bool is_given(struct ks_json_value v)
{
    ks_json_type type = ks_json_type_of(v);

    return type != KS_JSON_ABSENT && type != KS_JSON_NULL;
}

ks_rc ks_stanza_text(const struct ks_stanza *s, const char *key, char **out, struct ks_error *err)
{
    struct ks_json_value v = ks_json_get(s->map, key);

    *out = NULL;
    return is_given(v) ? value_text(s, key, v, out, err) : KS_RC_OK;
}

ks_rc ks_stanza_flag(const struct ks_stanza *s, const char *key, bool *out, struct ks_error *err)
{
    struct ks_json_value v = ks_json_get(s->map, key);

    *out = false;
    if (is_given(v) && !ks_json_to_bool(v, out))
        return ks_stanza_fail(s, err, "%s is neither true nor false", key);
    return KS_RC_OK;
}

/* The folder of the defining file, with its slash; empty for a file of the current folder. */
static struct ks_str folder_of(const char *file)
{
    struct ks_str path = ks_str_from(file);

    while (path.len && path.ptr[path.len - 1] != '/')
        path.len--;
    return path;
}

ks_rc ks_stanza_path(const struct ks_stanza *s, const char *key, char **out, struct ks_error *err)
{
    KS_CLEANUP(ks_freep) char *path = NULL;
    struct ks_buf joined;
    ks_rc rc = ks_stanza_text(s, key, &path, err);

    *out = NULL;
    if (rc || !path)
        return rc;
    if (path[0] == '/') {
        *out = KS_TAKE(path);
        return KS_RC_OK;
    }
    ks_buf_init(&joined, 8192);
    rc = ks_buf_append_str(&joined, folder_of(s->file));
    if (!rc)
        rc = ks_buf_append_str(&joined, ks_str_from(path));
    if (rc) {
        ks_buf_fini(&joined);
        return rc == KS_RC_LIMIT ? ks_stanza_fail(s, err, "the path in %s is too long", key)
                                 : ks_stanza_no_memory(err);
    }
    *out = ks_buf_take(&joined);
    return KS_RC_OK;
}

/* Hands the bytes over as a string; the buffer is wiped when that fails, as it may hold a key. */
static ks_rc pem_take(const struct ks_stanza *s, const char *what, struct ks_buf *content,
                      char **out, struct ks_error *err)
{
    size_t len = content->len;
    char *text = ks_buf_take(content);

    if (!text || memchr(text, '\0', len)) {
        ks_free_secret(text, len);
        return ks_stanza_fail(s, err, "%s holds no PEM text", what);
    }
    *out = text;
    return KS_RC_OK;
}

static ks_rc pem_read(const struct ks_stanza *s, const char *key, const char *path, char **out,
                      struct ks_error *err)
{
    struct ks_error why = {0};
    struct ks_buf content;
    ks_rc rc;

    ks_buf_init(&content, KS_CONFIG_FILE_MAX);
    rc = ks_file_read(path, &content, &why);
    if (!rc)
        rc = pem_take(s, path, &content, out, err);
    else
        rc = rc == KS_RC_NOMEM ? ks_stanza_no_memory(err)
                               : ks_stanza_fail(s, err, "%s: %s", key, why.msg);
    ks_buf_fini(&content);
    return rc;
}

static ks_rc pem_decode(const struct ks_stanza *s, const char *key, const char *base64, char **out,
                        struct ks_error *err)
{
    struct ks_buf content;
    ks_rc rc;

    ks_buf_init(&content, KS_CONFIG_FILE_MAX);
    rc = ks_base64_decode(ks_str_from(base64), &content);
    if (!rc)
        rc = pem_take(s, key, &content, out, err);
    else
        rc = rc == KS_RC_NOMEM ? ks_stanza_no_memory(err)
                               : ks_stanza_fail(s, err, "%s is not base64", key);
    ks_buf_fini(&content);
    return rc;
}

ks_rc ks_stanza_pem(const struct ks_stanza *s, const char *key, char **out_path, char **out_pem,
                    struct ks_error *err)
{
    KS_CLEANUP(ks_freep) char *path = NULL;
    KS_CLEANUP(secret_freep) char *data = NULL;
    char data_key[64];
    ks_rc rc;

    (void)snprintf(data_key, sizeof(data_key), "%s-data", key); /* our own short names */
    rc = ks_stanza_path(s, key, &path, err);
    if (!rc)
        rc = ks_stanza_text(s, data_key, &data, err);
    if (rc)
        return rc;
    if (path && data)
        return ks_stanza_fail(s, err, "%s and %s are both given: keep one", key, data_key);
    if (data)
        rc = pem_decode(s, data_key, data, out_pem, err);
    else if (path && s->may_read_files)
        rc = pem_read(s, key, path, out_pem, err);
    if (!rc)
        *out_path = KS_TAKE(path);
    return rc;
}

char **ks_texts_free(char **texts)
{
    for (size_t i = 0; texts && texts[i]; i++)
        ks_free_secret(texts[i], strlen(texts[i]));
    ks_free(texts);
    return NULL;
}

ks_rc ks_stanza_texts(const struct ks_stanza *s, const char *key, size_t max, char ***out,
                      struct ks_error *err)
{
    struct ks_json_value list = ks_json_get(s->map, key);
    size_t count = ks_json_count(list);
    char **texts;
    size_t n = 0;
    ks_rc rc = KS_RC_OK;

    *out = NULL;
    if (!is_given(list))
        return KS_RC_OK;
    if (ks_json_type_of(list) != KS_JSON_LIST || count > max)
        return ks_stanza_fail(s, err, "%s is no list of at most %zu strings", key, max);
    if (!count)
        return KS_RC_OK;
    texts = ks_alloc_array(count + 1, sizeof(*texts));
    if (!texts)
        return ks_stanza_no_memory(err);
    for (struct ks_json_value v = ks_json_first(list); !rc && !ks_json_is_absent(v);
         v = ks_json_next(v)) {
        rc = value_text(s, key, v, &texts[n], err);
        if (!rc && !texts[n]) {
            texts[n] = ks_strdup("");
            rc = texts[n] ? KS_RC_OK : ks_stanza_no_memory(err);
        }
        n++;
    }
    if (rc)
        texts = ks_texts_free(texts);
    *out = texts;
    return rc;
}
