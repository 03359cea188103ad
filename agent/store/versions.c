#include <stdlib.h>
#include <string.h>
#include "agent/store/versions.h"

#define FCA_VERSIONS_BUCKETS  4096

typedef struct fca_version_s  fca_version_t;

struct fca_version_s {
    fca_version_t  *next;
    unsigned        list;               /* the list it was last named in */
    fcf_spec_t      spec;
    char            function_id[];
};

struct fca_versions_s {
    fca_version_t  *buckets[FCA_VERSIONS_BUCKETS];
};

fca_versions_t *
fca_versions_new(void)
{
    return calloc(1, sizeof(fca_versions_t));
}

static fca_version_t **
fca_versions_find(const fca_versions_t *versions, const char *function_id,
    int64_t version)
{
    uint32_t         hash;
    const char      *c;
    fca_version_t  **p;

    hash = 2166136261u ^ (uint32_t) version;

    for (c = function_id; *c; c++) {
        hash = (hash ^ (unsigned char) *c) * 16777619u;
    }

    p = (fca_version_t **) &versions->buckets[hash % FCA_VERSIONS_BUCKETS];

    while (*p && ((*p)->spec.version != version
                  || strcmp((*p)->function_id, function_id) != 0))
    {
        p = &(*p)->next;
    }

    return p;
}

static void
fca_versions_remove(fca_version_t **p)
{
    fca_version_t  *v = *p;

    *p = v->next;
    free(v);
}

void
fca_versions_put(fca_versions_t *versions, const char *function_id,
    const fcf_spec_t *spec, unsigned list)
{
    fca_version_t  **p, *v;

    p = fca_versions_find(versions, function_id, spec->version);

    if (*p == NULL) {
        v = calloc(1, sizeof(*v) + strlen(function_id) + 1);
        if (v == NULL) {
            return;
        }

        memcpy(v->function_id, function_id, strlen(function_id) + 1);
        *p = v;
    }

    (*p)->spec = *spec;
    (*p)->list = list;
}

void
fca_versions_del(fca_versions_t *versions, const char *function_id,
    int64_t version)
{
    fca_version_t  **p;

    p = fca_versions_find(versions, function_id, version);

    if (*p) {
        fca_versions_remove(p);
    }
}

void
fca_versions_sweep(fca_versions_t *versions, unsigned list)
{
    size_t           i;
    fca_version_t  **p;

    for (i = 0; i < FCA_VERSIONS_BUCKETS; i++) {
        for (p = &versions->buckets[i]; *p; ) {
            if ((*p)->list != list) {
                fca_versions_remove(p);
            } else {
                p = &(*p)->next;
            }
        }
    }
}

const fcf_spec_t *
fca_versions_get(const fca_versions_t *versions, const char *function_id,
    int64_t version)
{
    fca_version_t  *v = *fca_versions_find(versions, function_id, version);

    return v ? &v->spec : NULL;
}

void
fca_versions_images(const fca_versions_t *versions, unsigned part,
    unsigned parts, void (*each)(void *arg, const char *sha256), void *arg)
{
    size_t                i;
    const fca_version_t  *v;

    for (i = part; i < FCA_VERSIONS_BUCKETS; i += parts) {
        for (v = versions->buckets[i]; v; v = v->next) {
            each(arg, v->spec.code.sha256);
            each(arg, v->spec.runtime_image.sha256);
        }
    }
}

void
fca_versions_free(fca_versions_t *versions)
{
    size_t  i;

    if (versions == NULL) {
        return;
    }

    for (i = 0; i < FCA_VERSIONS_BUCKETS; i++) {
        while (versions->buckets[i]) {
            fca_versions_remove(&versions->buckets[i]);
        }
    }

    free(versions);
}
