/* Shared by template*.c only. */

#ifndef _FCA_TEMPLATE_INT_H_INCLUDED_
#define _FCA_TEMPLATE_INT_H_INCLUDED_

#include "agent/instance/template.h"

struct fca_template_s {
    fca_instances_t       *all;
    fca_template_state_e   state;
    fcf_timer_t           *timer;       /* the state's timeout */
    fcf_timer_t           *again;       /* its function did not listen yet */
    uint64_t               born;        /* loop ms */
    char                   worker_id[FCF_WORKER_ID_MAX + 1];
    char                   function_id[FCF_ID_MAX + 1];
    fca_log_ctx_t          log;
    fca_snap_id_t          id;
    fcf_spec_t             spec;
    fca_image_look_t      *look;
    fca_images_t          *images;
    fca_secrets_t         *secrets;     /* being read */
    fcf_env_t              env;
    fca_nic_e              nic_state;
    fca_nic_t              nic;
    uint32_t               uid;         /* of the pool; 0: none */
    fca_vmm_t             *vmm;
    int                    exited;
    fca_ask_t             *ask;
    fca_snap_origin_t      origin;      /* what is told of it */
    unsigned               keeping:1;   /* the store has its files open */
    unsigned               held:1;      /* capacity */
    unsigned               made:1;
    unsigned               young:1;     /* its kernel, when it was asked */
    unsigned               final:1;     /* another would be the same */
};

/* template.c */
void fca_template_event(fca_template_t *t, fca_template_event_e event,
    const fcf_err_t *err);
/* the only one that assigns the state; arms its timeout */
void fca_template_set(fca_template_t *t, fca_template_state_e state);
void fca_template_fail(fca_template_t *t, const fcf_err_t *err);

/* template_boot.c: to a snapshot that is kept; each begins the next step */
void fca_template_looked(void *arg, const fca_images_t *images,
    const fcf_err_t *err);
void fca_template_ask(void *arg);
/* its environment is read, if it has one; then it has a NIC taken */
void fca_template_env(fca_template_t *t, const fcf_err_t *err);
void fca_template_images(fca_template_t *t, const fcf_err_t *err);
void fca_template_nic(fca_template_t *t, const fcf_err_t *err);
void fca_template_spawned(fca_template_t *t, const fcf_err_t *err);
void fca_template_configured(fca_template_t *t, const fcf_err_t *err);
void fca_template_booted(fca_template_t *t, const fcf_err_t *err);
void fca_template_asked(fca_template_t *t, const fcf_err_t *err);
void fca_template_settled(fca_template_t *t, const fcf_err_t *err);
void fca_template_saved(fca_template_t *t, const fcf_err_t *err);
void fca_template_done(fca_template_t *t, const fcf_err_t *err);

#endif /* _FCA_TEMPLATE_INT_H_INCLUDED_ */
