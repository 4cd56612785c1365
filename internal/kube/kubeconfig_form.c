/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The form of a kubeconfig, as far as it matters here: four members of known types, and a kind
 * that, if given, is Config. What else stands in it is kubectl's.
 *
 * Invariant: no value of the file is quoted but its kind: the rest may be a credential.
 *
 * Thread: any. Does not look into the entries: stanza.c does, at those that are used.
 */
#include "kube/kubeconfig_form.h"

#include "json/path.h"

#define NAME_ANOTHER "name another file with --kubeconfig or KUBECONFIG"

struct list_row {
    const char *list;
    const char *member; /* of each of its entries */
};
static const struct list_row lists[] = {
    {"clusters", "cluster"}, {"users", "user"}, {"contexts", "context"}};

ks_rc ks_kubeconfig_check_bytes(struct ks_str text, const char *path, struct ks_error *err)
{
    if (ks_str_starts(text, KS_LIT("\xff\xfe")) || ks_str_starts(text, KS_LIT("\xfe\xff")))
        return ks_fail(err, KS_RC_CONFIG,
                       "%s is no kubeconfig as it is: its text is UTF-16; save it as UTF-8", path);
    if (ks_str_chr(text, '\0') >= 0)
        return ks_fail(err, KS_RC_CONFIG, "%s is no kubeconfig: it is a binary file; " NAME_ANOTHER,
                       path);
    return KS_RC_OK;
}

static bool is_type_or_nothing(struct ks_json_value v, ks_json_type wanted)
{
    ks_json_type type = ks_json_type_of(v);

    return type == wanted || type == KS_JSON_ABSENT || type == KS_JSON_NULL;
}

static ks_rc check_kind(struct ks_json_value root, const char *path, struct ks_error *err)
{
    struct ks_json_value value = ks_json_get(root, "kind");
    struct ks_str kind = KS_LIT("");

    if (!is_type_or_nothing(value, KS_JSON_STRING))
        return ks_fail(
            err, KS_RC_CONFIG,
            "%s is no kubeconfig: its kind is no text, where Config belongs; " NAME_ANOTHER, path);
    (void)ks_json_to_str(value, &kind); /* absent and null stay empty */
    if (kind.len == 0 || ks_str_is(kind, "Config"))
        return KS_RC_OK;
    return ks_fail(err, KS_RC_CONFIG,
                   "%s is no kubeconfig: its kind is %.*s, where Config belongs; " NAME_ANOTHER,
                   path, KS_STR_ARGS(ks_str_cut_utf8(kind, 63)));
}

static ks_rc check_list(struct ks_json_value root, const struct list_row *row, const char *path,
                        struct ks_error *err)
{
    struct ks_json_value list = ks_json_get(root, row->list);
    size_t i = 0;

    if (!is_type_or_nothing(list, KS_JSON_LIST))
        return ks_fail(err, KS_RC_CONFIG,
                       "%s is no kubeconfig: its %s are no list; mend them, or " NAME_ANOTHER, path,
                       row->list);
    for (struct ks_json_value v = ks_json_first(list); !ks_json_is_absent(v); v = ks_json_next(v)) {
        if (!is_type_or_nothing(v, KS_JSON_MAP))
            return ks_fail(err, KS_RC_CONFIG,
                           "%s is no kubeconfig: %s[%zu] is no map with a name and a %s; mend it, "
                           "or " NAME_ANOTHER,
                           path, row->list, i, row->member);
        if (!is_type_or_nothing(ks_json_get(v, row->member), KS_JSON_MAP))
            return ks_fail(err, KS_RC_CONFIG,
                           "%s is no kubeconfig: %s[%zu].%s is no map; mend it, or " NAME_ANOTHER,
                           path, row->list, i, row->member);
        i++;
    }
    return KS_RC_OK;
}

ks_rc ks_kubeconfig_check_form(struct ks_json_value root, const char *path, struct ks_error *err)
{
    ks_rc rc = check_kind(root, path, err);

    for (size_t i = 0; !rc && i < KS_ARRAY_LEN(lists); i++)
        rc = check_list(root, &lists[i], path, err);
    if (!rc && !is_type_or_nothing(ks_json_get(root, "current-context"), KS_JSON_STRING))
        rc = ks_fail(err, KS_RC_CONFIG,
                     "%s is no kubeconfig: its current-context is no text; put the context's name "
                     "there, in quotes if it is a number",
                     path);
    return rc;
}

bool ks_kubeconfig_has_members(struct ks_json_value root)
{
    for (size_t i = 0; i < KS_ARRAY_LEN(lists); i++) {
        if (!ks_json_is_absent(ks_json_get(root, lists[i].list)))
            return true;
    }
    return !ks_json_is_absent(ks_json_get(root, "current-context"));
}
