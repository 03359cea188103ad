#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "agent/base/log.h"
#include "agent/store/specs.h"
#include "agent/store/versions.h"

#define FCA_SPECS_BUCKETS  4096

/* the prefixes that are watched */
enum { FCA_SPECS_SPECS = 0, FCA_SPECS_WORKERS, FCA_SPECS_PREFIXES };

typedef struct fca_spec_s  fca_spec_t;

struct fca_spec_s {
    fca_spec_t   *next;
    unsigned      list;                 /* the list it was last named in */
    fcf_spec_t    spec;
    char          function_id[];
};

typedef struct {
    unsigned      list;
    int           ready;                /* as far as is known */
    char          id[FCF_ID_MAX + 1];
} fca_peer_t;

struct fca_specs_s {
    char                  prefix[FCF_PREFIX_MAX + 1];
    fca_specs_handler_t   handler;
    fcf_sync_t           *sync;
    fca_spec_t           *buckets[FCA_SPECS_BUCKETS];
    fca_versions_t       *versions;
    fca_peer_t           *peers;
    size_t                npeers, peers_size;
    unsigned              list[FCA_SPECS_PREFIXES];
    int                   listed[FCA_SPECS_PREFIXES];
    int                   known;
    fcf_sync_state_e      state;
};

static fca_spec_t **
fca_specs_find(const fca_specs_t *specs, const char *function_id)
{
    uint32_t      hash;
    const char   *c;
    fca_spec_t  **p;

    for (hash = 2166136261u, c = function_id; *c; c++) {
        hash = (hash ^ (unsigned char) *c) * 16777619u;
    }

    p = (fca_spec_t **) &specs->buckets[hash % FCA_SPECS_BUCKETS];

    while (*p && strcmp((*p)->function_id, function_id) != 0) {
        p = &(*p)->next;
    }

    return p;
}

static fca_peer_t *
fca_specs_peer(const fca_specs_t *specs, const char *id)
{
    size_t  i;

    for (i = 0; i < specs->npeers; i++) {
        if (strcmp(specs->peers[i].id, id) == 0) {
            return &specs->peers[i];
        }
    }

    return NULL;
}

static void
fca_specs_put_peer(fca_specs_t *specs, const char *id, const fcf_kv_t *kv)
{
    size_t         n;
    fca_peer_t    *peer;
    fcf_worker_t   worker;

    peer = fca_specs_peer(specs, id);

    if (peer == NULL) {
        if (specs->npeers == specs->peers_size) {
            n = specs->peers_size ? specs->peers_size * 2 : 16;
            peer = realloc(specs->peers, n * sizeof(fca_peer_t));
            if (peer == NULL) {
                return;
            }

            specs->peers = peer;
            specs->peers_size = n;
        }

        peer = &specs->peers[specs->npeers++];
        snprintf(peer->id, sizeof(peer->id), "%.*s", FCF_ID_MAX, id);
        peer->ready = kv->lease != 0;
    }

    peer->list = specs->list[FCA_SPECS_WORKERS];

    /* rubbish there says nothing of the node, which puts its own back; nor
     * does what stands under no lease, as no node's own does */
    if (kv->lease != 0
        && fcf_worker_decode(&worker, kv->value, kv->value_len, NULL) == 0)
    {
        peer->ready = worker.state == FCF_WORKER_READY;
    }
}

static void
fca_specs_put_spec(fca_specs_t *specs, const char *function_id,
    const fcf_kv_t *kv)
{
    fcf_err_t       err;
    fca_spec_t    **p, *s;
    fcf_spec_t      spec;
    fca_log_ctx_t   ctx = { .function_id = function_id };

    p = fca_specs_find(specs, function_id);

    if (fcf_spec_decode(&spec, kv->value, kv->value_len, &err) != 0) {
        fca_log(FCF_LOG_ERROR, &ctx, "etcd key \"%s\": %s; %s", kv->key,
                err.msg, *p ? "the spec known before stays" : "ignored");
        if (*p) {
            (*p)->list = specs->list[FCA_SPECS_SPECS];
        }

        return;
    }

    if (*p == NULL) {
        s = calloc(1, sizeof(*s) + strlen(function_id) + 1);
        if (s == NULL) {
            fca_log(FCF_LOG_ERROR, &ctx, "no memory for a spec");
            return;
        }

        memcpy(s->function_id, function_id, strlen(function_id) + 1);
        *p = s;
    }

    (*p)->spec = spec;
    (*p)->list = specs->list[FCA_SPECS_SPECS];

    specs->handler.changed(specs->handler.arg, function_id);
}

/* what is in the key is that version, whatever it says */
static void
fca_specs_put_version(fca_specs_t *specs, const fcf_key_t *key,
    const fcf_kv_t *kv)
{
    fcf_err_t      err;
    fcf_spec_t     spec;
    fca_log_ctx_t  ctx = { .function_id = key->function_id };

    if (fcf_spec_decode(&spec, kv->value, kv->value_len, &err) != 0) {
        fca_log(FCF_LOG_ERROR, &ctx, "etcd key \"%s\": %s; ignored", kv->key,
                err.msg);
        return;
    }

    spec.version = key->number;
    fca_versions_put(specs->versions, key->function_id, &spec,
                     specs->list[FCA_SPECS_SPECS]);
}

static void
fca_specs_del_spec(fca_specs_t *specs, fca_spec_t **p)
{
    char         function_id[FCF_ID_MAX + 1];
    fca_spec_t  *s = *p;

    snprintf(function_id, sizeof(function_id), "%s", s->function_id);
    *p = s->next;
    free(s);

    specs->handler.changed(specs->handler.arg, function_id);
}

static void
fca_specs_begin(void *arg, size_t prefix)
{
    fca_specs_t  *specs = arg;

    specs->list[prefix]++;
}

static void
fca_specs_put(void *arg, const fcf_kv_t *kv)
{
    fcf_key_t     key;
    fca_specs_t  *specs = arg;

    fcf_key_parse(&key, specs->prefix, kv->key, kv->key_len);

    if (key.kind == FCF_KEY_SPEC) {
        fca_specs_put_spec(specs, key.function_id, kv);

    } else if (key.kind == FCF_KEY_SPEC_VERSION) {
        fca_specs_put_version(specs, &key, kv);

    } else if (key.kind == FCF_KEY_WORKER) {
        fca_specs_put_peer(specs, key.name, kv);
        specs->handler.node(specs->handler.arg, key.name, kv);
    }
}

static void
fca_specs_del(void *arg, const char *name, size_t len)
{
    fcf_key_t      key;
    fca_peer_t    *peer;
    fca_spec_t   **p;
    fca_specs_t   *specs = arg;

    fcf_key_parse(&key, specs->prefix, name, len);

    if (key.kind == FCF_KEY_SPEC) {
        p = fca_specs_find(specs, key.function_id);
        if (*p) {
            fca_specs_del_spec(specs, p);
        }

    } else if (key.kind == FCF_KEY_SPEC_VERSION) {
        fca_versions_del(specs->versions, key.function_id, key.number);
        specs->handler.changed(specs->handler.arg, key.function_id);

    } else if (key.kind == FCF_KEY_WORKER) {
        peer = fca_specs_peer(specs, key.name);
        if (peer) {
            *peer = specs->peers[--specs->npeers];
        }

        specs->handler.node(specs->handler.arg, key.name, NULL);
    }
}

static void
fca_specs_sweep_peers(fca_specs_t *specs)
{
    size_t  i;

    for (i = 0; i < specs->npeers; ) {
        if (specs->peers[i].list != specs->list[FCA_SPECS_WORKERS]) {
            specs->peers[i] = specs->peers[--specs->npeers];
        } else {
            i++;
        }
    }
}

static void
fca_specs_sweep_specs(fca_specs_t *specs)
{
    size_t         i;
    fca_spec_t   **p;

    for (i = 0; i < FCA_SPECS_BUCKETS; i++) {
        for (p = &specs->buckets[i]; *p; ) {
            if ((*p)->list != specs->list[FCA_SPECS_SPECS]) {
                fca_specs_del_spec(specs, p);
            } else {
                p = &(*p)->next;
            }
        }
    }

    fca_versions_sweep(specs->versions, specs->list[FCA_SPECS_SPECS]);
}

static void
fca_specs_end(void *arg, size_t prefix)
{
    fca_specs_t  *specs = arg;

    if (prefix == FCA_SPECS_WORKERS) {
        fca_specs_sweep_peers(specs);
    } else {
        fca_specs_sweep_specs(specs);
    }

    specs->listed[prefix] = 1;

    if (!specs->known && specs->listed[FCA_SPECS_SPECS]
        && specs->listed[FCA_SPECS_WORKERS])
    {
        specs->known = 1;
        specs->handler.live(specs->handler.arg);
    }
}

static void
fca_specs_state(void *arg, fcf_sync_state_e state, const char *why)
{
    fca_specs_t  *specs = arg;

    if (state != specs->state) {
        fca_log(state == FCF_SYNC_STALE ? FCF_LOG_WARN : FCF_LOG_INFO, NULL,
                "watch of specs and workers: %s%s%s",
                state == FCF_SYNC_LIVE ? "live"
                : state == FCF_SYNC_STALE ? "cut off" : "starting",
                why && *why ? ": " : "", why ? why : "");
    }

    specs->state = state;
}

fca_specs_t *
fca_specs_new(fcf_etcd_t *etcd, const char *prefix,
    const fca_specs_handler_t *handler, fcf_err_t *err)
{
    char                             specs_key[FCF_KEY_MAX];
    char                             workers_key[FCF_KEY_MAX];
    const char                      *prefixes[FCA_SPECS_PREFIXES];
    fca_specs_t                     *specs;
    static const fcf_sync_handler_t  sync = {
        .begin = fca_specs_begin,
        .put = fca_specs_put,
        .del = fca_specs_del,
        .end = fca_specs_end,
        .state = fca_specs_state,
    };

    specs = calloc(1, sizeof(*specs));
    if (specs) {
        specs->versions = fca_versions_new();
    }

    if (specs == NULL || specs->versions == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "no memory for the specs");
        free(specs);
        return NULL;
    }

    specs->handler = *handler;
    snprintf(specs->prefix, sizeof(specs->prefix), "%s", prefix);

    prefixes[FCA_SPECS_SPECS] = fcf_key_specs(specs_key, prefix);
    prefixes[FCA_SPECS_WORKERS] = fcf_key_workers(workers_key, prefix);

    specs->sync = fcf_sync_new(etcd, prefixes, FCA_SPECS_PREFIXES, &sync,
                               specs, err);
    if (specs->sync == NULL) {
        fca_versions_free(specs->versions);
        free(specs);
        return NULL;
    }

    return specs;
}

void
fca_specs_free(fca_specs_t *specs)
{
    size_t       i;
    fca_spec_t  *s;

    if (specs == NULL) {
        return;
    }

    fcf_sync_free(specs->sync);

    for (i = 0; i < FCA_SPECS_BUCKETS; i++) {
        while ((s = specs->buckets[i]) != NULL) {
            specs->buckets[i] = s->next;
            free(s);
        }
    }

    fca_versions_free(specs->versions);
    free(specs->peers);
    free(specs);
}

int
fca_specs_known(const fca_specs_t *specs)
{
    return specs->known;
}

int
fca_specs_fresh(const fca_specs_t *specs)
{
    return specs->known && specs->state == FCF_SYNC_LIVE;
}

void
fca_specs_stat(const fca_specs_t *specs, fcf_sync_stat_t *out)
{
    fcf_sync_stat(specs->sync, out);
}

const fcf_spec_t *
fca_specs_version(const fca_specs_t *specs, const char *function_id,
    int64_t version)
{
    return fca_versions_get(specs->versions, function_id, version);
}

const fcf_spec_t *
fca_specs_get(const fca_specs_t *specs, const char *function_id)
{
    fca_spec_t  *s;

    s = *fca_specs_find(specs, function_id);

    return s ? &s->spec : NULL;
}

size_t
fca_specs_nodes(const fca_specs_t *specs)
{
    return specs->npeers;
}

const char *
fca_specs_node(const fca_specs_t *specs, size_t i)
{
    return specs->peers[i].id;
}

int
fca_specs_node_ready(const fca_specs_t *specs, size_t i)
{
    return specs->peers[i].ready;
}

int
fca_specs_node_lives(const fca_specs_t *specs, const char *node_id)
{
    return fca_specs_peer(specs, node_id) != NULL;
}

void
fca_specs_images(const fca_specs_t *specs, unsigned part,
    void (*each)(void *arg, const char *sha256), void *arg)
{
    size_t             i;
    const fca_spec_t  *s;

    for (i = part; i < FCA_SPECS_BUCKETS; i += FCA_SPECS_PARTS) {
        for (s = specs->buckets[i]; s; s = s->next) {
            each(arg, s->spec.code.sha256);
            each(arg, s->spec.runtime_image.sha256);
        }
    }

    fca_versions_images(specs->versions, part, FCA_SPECS_PARTS, each, arg);
}
