/* A guest and its VMM: an instance's, a template's, or one started ahead. */

#ifndef _FCA_INST_GUEST_H_INCLUDED_
#define _FCA_INST_GUEST_H_INCLUDED_

#include "agent/instance/instance_int.h"

/* What a VMM is started for; all of it is valid during the call alone. */
typedef struct {
    const char          *function_id, *worker_id;
    const fcf_spec_t    *spec;
    const fca_images_t  *images;
    const fca_nic_t     *nic;           /* NULL: fca_vmm_nic() tells it later */
    const fcf_env_t     *env;           /* NULL: none */
    const char          *record;        /* NULL: who finds the VM ends it */
    const fca_snap_t    *snap;          /* to be restored; NULL: it boots */
    uint32_t             uid;           /* of the pool; 0: none */
    int                  template;
    fca_vmm_said_pt      said;          /* NULL: nobody listens */
} fca_guest_vmm_t;

/* what a guest with this NIC is told; what spec and nic point at is pointed
 * at */
void fca_inst_guest(fca_guest_config_t *config, const fca_instances_t *all,
    const char *function_id, const char *worker_id, const fcf_spec_t *spec,
    const fca_nic_t *nic);
/* As fca_vmm_spawn(), of which this is the way to the VMM. */
fca_vmm_t *fca_guest_vmm(const fca_instances_t *all,
    const fca_guest_vmm_t *want, fca_vmm_pt handler, void *arg,
    fcf_err_t *err);

#endif /* _FCA_INST_GUEST_H_INCLUDED_ */
