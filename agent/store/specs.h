/* Local copy of /specs/ and /workers/: what functions are declared, and which
 * nodes live.  A value that does not decode is logged and leaves what was
 * known before. */

#ifndef _FCA_SPECS_H_INCLUDED_
#define _FCA_SPECS_H_INCLUDED_

#include "contract/fcf_codec.h"
#include "client/fcf_sync.h"

typedef struct fca_specs_s  fca_specs_t;

typedef struct {
    /* a spec came, changed or went */
    void  (*changed)(void *arg, const char *function_id);
    /* a node's key is there, or changed; NULL: it went */
    void  (*node)(void *arg, const char *node_id, const fcf_kv_t *kv);
    /* once: everything is known now */
    void  (*live)(void *arg);
    void   *arg;
} fca_specs_handler_t;

fca_specs_t *fca_specs_new(fcf_etcd_t *etcd, const char *prefix,
    const fca_specs_handler_t *handler, fcf_err_t *err);
void fca_specs_free(fca_specs_t *specs);

int fca_specs_known(const fca_specs_t *specs);      /* the first list came */
int fca_specs_fresh(const fca_specs_t *specs);      /* and the watch is live */
void fca_specs_stat(const fca_specs_t *specs, fcf_sync_stat_t *out);
/* NULL: not declared.  Valid until the loop's next turn. */
const fcf_spec_t *fca_specs_get(const fca_specs_t *specs,
    const char *function_id);

/* The same of a version that may not be the spec's; NULL: not known. */
const fcf_spec_t *fca_specs_version(const fca_specs_t *specs,
    const char *function_id, int64_t version);

/* Calls each with the digest of every image that a spec or a version of one of
 * these parts names, of FCA_SPECS_PARTS: a few thousands at most, so that all
 * of them take many turns of the loop. */
#define FCA_SPECS_PARTS  64
void fca_specs_images(const fca_specs_t *specs, unsigned part,
    void (*each)(void *arg, const char *sha256), void *arg);

size_t fca_specs_nodes(const fca_specs_t *specs);
const char *fca_specs_node(const fca_specs_t *specs, size_t i);
/* it takes jobs: neither ill nor draining */
int fca_specs_node_ready(const fca_specs_t *specs, size_t i);
int fca_specs_node_lives(const fca_specs_t *specs, const char *node_id);

#endif /* _FCA_SPECS_H_INCLUDED_ */
