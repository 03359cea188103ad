/*
 * The snapshots of this node: a directory each, named by a digest of all that
 * one depends on, so that what does not match is never found.  A snapshot is
 * written aside, synced and renamed; a digest of its memory is kept beside it,
 * and what does not agree with it when the agent starts is removed, since a
 * VMM looks at the memory's length alone.  All that waits for the disk is done
 * on a worker thread.
 */

#ifndef _FCA_SNAPS_H_INCLUDED_
#define _FCA_SNAPS_H_INCLUDED_

#include <limits.h>
#include <netinet/in.h>
#include <uv.h>
#include "agent/base/digest.h"
#include "contract/fcf_codec.h"

/* in a VM's directory, and in a snapshot's */
#define FCA_SNAP_STATE    "snapshot.state"
#define FCA_SNAP_MEMORY   "snapshot.memory"
/* failures until it is dropped */
#define FCA_SNAP_FAILURES  2

typedef struct fca_snaps_s  fca_snaps_t;

/* What a snapshot is of.  key: a digest of all of it. */
typedef struct {
    char            key[FCA_DIGEST + 1];
    char            function_id[FCF_ID_MAX + 1];
    int64_t         version;
} fca_snap_id_t;

/* What its template was. */
typedef struct {
    char            vmm_version[32];
    struct in_addr  address;
    unsigned char   mac[6];
    uint64_t        boot_ms;            /* that it took */
} fca_snap_origin_t;

/* One that may be used. */
typedef struct {
    char               state[PATH_MAX], memory[PATH_MAX];
    fca_snap_origin_t  origin;
} fca_snap_t;

typedef struct {
    unsigned        n, unchecked;       /* unchecked: found, and not looked at
                                           yet */
    uint64_t        bytes;              /* on the disk */
    uint64_t        made, dropped, damaged, given_up;
} fca_snaps_stat_t;

/* this CPU's model and what it can do, digested; "" if that is not told */
void fca_snaps_cpu(char *buf, size_t size);
/* parts: all that it depends on, NULL-ended */
void fca_snap_key(char key[FCA_DIGEST + 1], const char *const *parts);

/* dir is made.  What lies in it is checked from now on, and usable once it
 * is.  max_bytes: the least recently used go first. */
fca_snaps_t *fca_snaps_new(uv_loop_t *uv, const char *dir, uint64_t max_bytes,
    fcf_err_t *err);
/* also of NULL; a worker that is under way ends first, and nobody is told */
void fca_snaps_free(fca_snaps_t *snaps);

/* one may be used */
int fca_snaps_there(const fca_snaps_t *snaps, const char *key);
/* 1: it is that, and the one that was used last */
int fca_snaps_find(fca_snaps_t *snaps, const char *key, fca_snap_t *out);
/* all that lay there when it was opened has been looked at */
int fca_snaps_checked(const fca_snaps_t *snaps);
/* neither there, nor being made, nor given up */
int fca_snaps_lacks(const fca_snaps_t *snaps, const char *key);
/* one of it is being made from now on, until fca_snaps_add()'s done or
 * fca_snaps_not_made() */
int fca_snaps_begin(fca_snaps_t *snaps, const fca_snap_id_t *id,
    fcf_err_t *err) fcf_must_check;
/* final: it is never tried again by this agent; else FCA_SNAP_FAILURES times */
void fca_snaps_not_made(fca_snaps_t *snaps, const char *key, int final);
/* it is of another VMM than there is now: goes, and may be made anew */
void fca_snaps_outdated(fca_snaps_t *snaps, const char *key);
/* A VM restored from it did not come up.  1: it was dropped. */
int fca_snaps_failed(fca_snaps_t *snaps, const char *key);

/* err: it was not kept */
typedef void (*fca_snaps_pt)(void *arg, const fcf_err_t *err);

/* Takes the two files out of a VM's directory, by its descriptor, which the
 * caller keeps open until done. */
int fca_snaps_add(fca_snaps_t *snaps, const fca_snap_id_t *id, int dirfd,
    const fca_snap_origin_t *origin, fca_snaps_pt done, void *arg,
    fcf_err_t *err) fcf_must_check;

/* of this function those versions go that do not serve; spec NULL: all */
void fca_snaps_prune(fca_snaps_t *snaps, const char *function_id,
    const fcf_spec_t *spec);

void fca_snaps_stat(const fca_snaps_t *snaps, fca_snaps_stat_t *stat);

#endif /* _FCA_SNAPS_H_INCLUDED_ */
