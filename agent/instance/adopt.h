/*
 * VMs that an earlier agent left, found before anything else is opened, and
 * gone on with once everything is: see instance_adopt.c for what becomes of
 * each.
 */

#ifndef _FCA_ADOPT_H_INCLUDED_
#define _FCA_ADOPT_H_INCLUDED_

#include "agent/instance/instance.h"

typedef struct fca_legacy_s  fca_legacy_t;

fca_legacy_t *fca_legacy_new(const char *node_id, fcf_err_t *err);
/* also of NULL; processes that were not adopted are killed */
void fca_legacy_free(fca_legacy_t *legacy);

/* arg: the legacy; for fca_vmm_reclaim(), which ends what is not kept */
int fca_legacy_keep(void *arg, const fca_vmm_left_t *left);
size_t fca_legacy_count(const fca_legacy_t *legacy);
/* for fca_net_open(), in the same order */
fca_nic_t *fca_legacy_nics(fca_legacy_t *legacy);

/* Goes on with each; all has everything but the node's lease by now. */
void fca_legacy_adopt(fca_legacy_t *legacy, fca_instances_t *all,
    fca_jobs_t *jobs);

#endif /* _FCA_ADOPT_H_INCLUDED_ */
