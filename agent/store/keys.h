/*
 * The keys of one VM in etcd: the slot that it claims before it boots, and
 * once it serves its instance's key, put together by a transaction that
 * demands the slot still (or again) ours.  So a put that is carried out late,
 * after the deletion that followed it, finds the slot gone and changes
 * nothing.
 */

#ifndef _FCA_KEYS_H_INCLUDED_
#define _FCA_KEYS_H_INCLUDED_

#include "agent/store/node.h"
#include "contract/fcf_codec.h"

typedef struct fca_keyring_s  fca_keyring_t;    /* all keys of this agent */
typedef struct fca_keys_s     fca_keys_t;

typedef struct {
    fcf_loop_t  *loop;
    fcf_etcd_t  *etcd;
    fca_node_t  *node;                  /* whose lease they are put under */
    const char  *prefix;
} fca_keyring_conf_t;

fca_keyring_t *fca_keyring_new(const fca_keyring_conf_t *conf,
    fcf_err_t *err);
/* deletions that etcd has not taken yet */
int fca_keyring_pending(const fca_keyring_t *ring);
void fca_keyring_free(fca_keyring_t *ring);

typedef struct {
    const char  *function_id, *request_id, *worker_id;
    int64_t      version;
    int          min_instances, max_instances;
} fca_keys_conf_t;

/* Any of them may end the keys. */
typedef struct {
    void  (*owned)(void *arg);          /* the slot that was claimed */
    /* no slot, and no more is tried */
    void  (*refused)(void *arg, fcf_failure_e why);
    void  (*put)(void *arg);            /* all that was wanted is there */
    void  (*lost)(void *arg);           /* the slot is somebody else's */
    void   *arg;
} fca_keys_handler_t;

/* conf's strings must live until fca_keys_end() */
fca_keys_t *fca_keys_new(fca_keyring_t *ring, const fca_keys_conf_t *conf,
    const fca_keys_handler_t *handler, fcf_err_t *err);

void fca_keys_claim(fca_keys_t *keys);
/* The slot that an earlier agent claimed for this VM, instead of a claim; put
 * says whether it is still ours. */
void fca_keys_adopt(fca_keys_t *keys, int slot);
/* -1: none yet; and the lease that it was last put under, 0: not known */
int fca_keys_slot(const fca_keys_t *keys);
int64_t fca_keys_lease(const fca_keys_t *keys);
/* etcd's, when it last took a put; 0: not yet */
int64_t fca_keys_revision(const fca_keys_t *keys);
/* Puts what there is under the node's lease, repeated until etcd has it.
 * value: of the instance's key from now on, owned; NULL: as it was. */
void fca_keys_put(fca_keys_t *keys, char *value);
/* a put is under way */
int fca_keys_busy(const fca_keys_t *keys);
/* put under a lease that is not the node's any more */
int fca_keys_stale(const fca_keys_t *keys);

/* Deletes them, repeated until etcd has it, and is the caller's no more.
 * goodbye: what the instance's key, if it is there, says just before that;
 * owned; or NULL.  gone, if not NULL, runs once the keys are not there any
 * more; not if the ring is freed before that. */
void fca_keys_end(fca_keys_t *keys, char *goodbye, void (*gone)(void *arg),
    void *arg);

#endif /* _FCA_KEYS_H_INCLUDED_ */
