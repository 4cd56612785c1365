/* SPDX-License-Identifier: Apache-2.0 */
/* layer: kube */
/*
 * Discovery documents from anywhere. The first line is a name to look up, the rest is taken as each
 * of the documents. What is found has to be fit for a URL.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "kube/catalog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void resource_check(const struct ks_resource *r)
{
    const struct ks_str parts[] = {r->group, r->version, r->plural, r->kind};

    for (size_t i = 0; i < KS_ARRAY_LEN(parts); i++) {
        for (size_t k = 0; k < parts[i].len; k++)
            assert((unsigned char)parts[i].ptr[k] > ' ' && !strchr("/%?#", parts[i].ptr[k]));
    }
    assert(r->plural.len && r->kind.len && r->version.len);
}

static void find(const struct ks_catalog *catalog, const struct ks_mapper_query *query)
{
    struct ks_resource *found = NULL;
    struct ks_error err = {0};

    if (ks_catalog_find(catalog, query, &found, &err))
        assert(!found && err.msg[0]);
    else
        resource_check(found);
}

static void catalog_fill(struct ks_catalog *catalog, struct ks_str text)
{
    ks_catalog_freshness freshness;

    if (ks_catalog_add_document(catalog, KS_CATALOG_CORE, text, NULL) &&
        ks_catalog_add_document(catalog, KS_CATALOG_GROUPS, text, NULL) &&
        !ks_catalog_add_document(catalog, KS_CATALOG_CORE,
                                 KS_LIT("{\"kind\":\"APIVersions\",\"versions\":[\"v1\"]}"),
                                 NULL) &&
        ks_catalog_version_at(catalog, 0, &freshness) &&
        ks_catalog_add_resources(catalog, 0, text, NULL))
        ks_catalog_set_stale(catalog, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ks_str text = ks_str_make((const char *)data, size);
    struct ks_str name = {0};
    struct ks_catalog *catalog = NULL, *later = NULL;

    if (!size || !ks_str_split(&text, '\n', &name))
        return 0;
    if (ks_catalog_new(&catalog, NULL) || ks_catalog_new(&later, NULL))
        return 0;
    catalog_fill(catalog, text);
    find(catalog, &(struct ks_mapper_query){.name = name});
    find(catalog, &(struct ks_mapper_query){.kind = name});
    find(catalog, &(struct ks_mapper_query){.kind = name, .has_group = true});
    find(catalog, &(struct ks_mapper_query){.kind = name, .version = KS_LIT("v1")});
    ks_catalog_move_half(later, catalog, KS_CATALOG_CORE);
    assert(!ks_catalog_keep_stale(later, catalog, NULL));
    find(later, &(struct ks_mapper_query){.name = name});
    ks_catalog_free(catalog);
    ks_catalog_free(later);
    return 0;
}
