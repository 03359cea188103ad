/*
 * What a runtime is for versions to come: the key /runtimes/<name>.  Who makes
 * a version of it demands that key unchanged, so that no version is left
 * without its runtime's image (see cli/mark.h for who removes one).
 */

#ifndef _FCC_PIN_H_INCLUDED_
#define _FCC_PIN_H_INCLUDED_

#include "cli/call.h"

typedef struct {
    char          key[FCF_KEY_MAX];
    fcc_reply_t   there;                /* the key; none: it is not pushed */
    fcf_image_t   image;                /* of no digest: the same */
    int           unseen;               /* may not be read: neither is known */
} fcc_pin_t;

/* FCF_E_REFUSED: what is there is not valid.  To be freed, also of failure. */
int fcc_pin_read(fcc_t *fcc, fcc_pin_t *pin, const char *name, fcf_err_t *err)
    fcf_must_check;
void fcc_pin_free(fcc_pin_t *pin);
/* that it is still so; not of one that is unseen */
fcf_etcd_cmp_t fcc_pin_same(const fcc_pin_t *pin);
/* 1: it is not; -1: that is not known */
int fcc_pin_changed(fcc_t *fcc, const fcc_pin_t *pin, fcf_err_t *err);

/* FCF_E_INVALID: no runtime can be called that */
int fcc_runtime_name_check(const char *name, fcf_err_t *err) fcf_must_check;

#endif /* _FCC_PIN_H_INCLUDED_ */
