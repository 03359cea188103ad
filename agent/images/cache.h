/*
 * Images of functions, and of runtimes that versions pin, that this node has
 * fetched from stores, by the SHA-256 that names each.  One download a digest,
 * however many wait for it, piece by piece, so that one that breaks off goes on
 * where it was, after a restart of the agent too.  What is on the disk is whole
 * under its name, or it has another; its digest is seen to before it is used
 * for the first time in this agent's life.  All that waits for the disk is done
 * on a worker thread.
 */

#ifndef _FCA_CACHE_H_INCLUDED_
#define _FCA_CACHE_H_INCLUDED_

#include <uv.h>
#include "agent/base/digest.h"
#include "client/fcf_http.h"
#include "contract/fcf_codec.h"

/* a download under way takes so much memory; so many at once */
#define FCA_PIECE        (1 << 20)
#define FCA_FETCHES_MAX  4

typedef struct fca_cache_s      fca_cache_t;
typedef struct fca_cache_get_s  fca_cache_get_t;

typedef struct {
    uv_loop_t    *uv;
    fcf_loop_t   *loop;
    fcf_http_t   *http;
    const char   *dir;                  /* is made */
    const char   *ca;                   /* of stores, a PEM file, which must
                                           outlive it; NULL: the system's */
    const char   *cert, *key;           /* the same, for stores that ask; or
                                           NULL */
    uint64_t      max_bytes;            /* the least recently used go first */
    /* 1: something runs of it, or is about to; may be NULL */
    int         (*runs)(void *arg, const char *sha256);
    void         *arg;
} fca_cache_conf_t;

typedef struct {
    unsigned      n, fetching;
    uint64_t      bytes;                /* on the disk */
    uint64_t      fetched, failed, wrong, dropped;
} fca_cache_stat_t;

fca_cache_t *fca_cache_new(const fca_cache_conf_t *conf, fcf_err_t *err);
/* Also of NULL; nobody is told.  What the worker has is waited for by the
 * loop. */
void fca_cache_free(fca_cache_t *cache);

/* err NULL: it is there, whole, as path, which is valid during the call.
 * FCF_E_NOT_FOUND: no store gave it; FCF_E_LIMIT: there is no room for it in
 * the cache; any other: this host's disk. */
typedef void (*fca_cache_pt)(void *arg, const char *path,
    const fcf_err_t *err);

/* what: read during the call.  done runs once, never before this returned,
 * unless it is dropped. */
fca_cache_get_t *fca_cache_get(fca_cache_t *cache, const fcf_image_t *what,
    fca_cache_pt done, void *arg, fcf_err_t *err);
void fca_cache_drop(fca_cache_get_t *get);

/* Those that nothing names any more go: fca_cache_named() for all that is
 * named, between the two; what came meanwhile stays.  Returns how many are left
 * for something runs of them still. */
void fca_cache_sweep_begin(fca_cache_t *cache);
void fca_cache_named(fca_cache_t *cache, const char *sha256);
unsigned fca_cache_sweep_end(fca_cache_t *cache);

/* 1: there is none */
int fca_cache_empty(const fca_cache_t *cache);

void fca_cache_stat(const fca_cache_t *cache, fca_cache_stat_t *stat);

/* store.c: 1 if the file's digest is that, for whoever may wait; -1 and *err:
 * it cannot be read */
int fca_image_is(const char *path, const char *sha256, fcf_err_t *err);
/* the digest itself */
int fca_image_digest(const char *path, char sha256[FCA_DIGEST + 1],
    fcf_err_t *err);

#endif /* _FCA_CACHE_H_INCLUDED_ */
