/*
 * A version of a function on its way to be the current one: what is there is
 * read once, and each step is a transaction that demands it unchanged, so that
 * of two who do this at once one hears that it lost.
 */

#ifndef _FCC_ROLLOUT_H_INCLUDED_
#define _FCC_ROLLOUT_H_INCLUDED_

#include "cli/pin.h"
#include "cli/source.h"

#define FCC_VERSIONS_KEPT  10
#define FCC_DROPPED_MAX    32

typedef struct {
    fcc_t          *fcc;
    const char     *name;

    fcc_reply_t     there;              /* the spec's key; none: not declared */
    json_t         *old;                /* what it says; NULL: nothing */
    fcf_spec_t      old_spec;           /* the same; if old */
    fcc_reply_t     versions;
    int64_t         newest;             /* version; 0: none */

    int64_t         version;            /* that is to be current */
    json_t         *spec;               /* and what it is */
    fcf_spec_t      decoded;
    int             percent;            /* of the requests; 100: it becomes
                                           current */
    int             timeout_s;          /* to be ready; 0: not said */
    int64_t         revision;           /* that what was put has in etcd */
    const fcf_etcd_op_t  *also;         /* put with the version, of a key that
                                           must not be there; NULL: nothing */
    fcc_pin_t       pin;                /* its runtime's, as it was read; no
                                           key: none was */
    const fcc_mark_t     *mark;         /* its image's, that must not have
                                           changed; NULL: it has one that
                                           another version names */
    char           *dropped[FCC_DROPPED_MAX];   /* keys in what is deleted */
    size_t          ndropped;
} fcc_rollout_t;

/* Looks at the options that all of them have, and reads what is there. */
int fcc_rollout_open(fcc_rollout_t *rollout, fcc_t *fcc, const char *name,
    fcf_err_t *err) fcf_must_check;
void fcc_rollout_close(fcc_rollout_t *rollout);

/* What a version's key says; NULL: there is none. */
const fcf_kv_t *fcc_rollout_version(const fcc_rollout_t *rollout,
    int64_t version);
/* versions.c: deletes all but the last ten, and the environments that nobody
 * else has, as many as fit; returns how many */
size_t fcc_versions_drop(fcc_rollout_t *rollout, fcf_etcd_op_t *ops,
    size_t max);
/* Puts rollout->spec as the version; with "current" it becomes that at once. */
int fcc_rollout_create(fcc_rollout_t *rollout, const char *source, int current,
    fcf_err_t *err) fcf_must_check;
/* The version gets its share, or becomes current; the oldest ones go. */
int fcc_rollout_serve(fcc_rollout_t *rollout, fcf_err_t *err) fcf_must_check;
/* rollout->spec's field is this image from then on */
int fcc_rollout_image(fcc_rollout_t *rollout, const char *field,
    const fcf_image_t *image, fcf_err_t *err) fcf_must_check;
/* who does it, and when */
void fcc_deployed_now(fcf_deployed_t *out, const char *source);
/* deploy_runtime.c */
/* rollout->spec gets the image that is pushed of its runtime, if one is */
int fcc_rollout_runtime(fcc_rollout_t *rollout, fcf_err_t *err)
    fcf_must_check;
/* says so if nothing else makes it another version than the newest */
void fcc_rollout_runtime_why(const fcc_rollout_t *rollout);
/* How it ended: for people, or programs. */
int fcc_rollout_print(const fcc_rollout_t *rollout, const char *state,
    fcf_err_t *err);

/* ready.c: one instance of the version is asked for, and waited for; says on
 * standard error what happens.  -1: it did not come up, *err says why. */
int fcc_ready(fcc_rollout_t *rollout, fcf_err_t *err) fcf_must_check;

/* deploy.c: a version that is put, seen to be ready and made current, and how
 * that ended is told; what the command ends with, or -1 */
int fcc_rollout_new(fcc_rollout_t *rollout, const char *source,
    fcf_err_t *err);

/* spec.c: the new spec: of what is there, of fcfaas.json in the source, of
 * --spec and of the flags, each before the one named here */
int fcc_spec_merge(fcc_rollout_t *rollout, const fcc_source_t *source,
    fcf_err_t *err) fcf_must_check;
/* The new spec: as the current one, with that environment. */
int fcc_spec_keep(fcc_rollout_t *rollout, int64_t generation, fcf_err_t *err)
    fcf_must_check;
/* what this JSON is as a spec */
int fcc_spec_read(fcf_spec_t *out, const json_t *spec, fcf_err_t *err)
    fcf_must_check;
/* the field that was meant; "": it is known; NULL: none is near */
const char *fcc_spec_meant(const char *field);
/* two values say the same but for number, history, shares and who made it; or
 * for the runtime's image, too */
int fcc_spec_same(const json_t *a, const json_t *b);
int fcc_spec_same_code(const json_t *a, const json_t *b);

#endif /* _FCC_ROLLOUT_H_INCLUDED_ */
