/*
 * What the next agent must know of a VM to go on with it: a file in the VM's
 * directory, written before the VM's process runs and again at each change
 * that matters.  Who may have written it is not known, so that it is read
 * strictly, and what it says of a process is believed only of one that
 * vmm_reclaim.c has recognised.
 */

#ifndef _FCA_RECORD_H_INCLUDED_
#define _FCA_RECORD_H_INCLUDED_

#include "agent/instance/instance_int.h"

#define FCA_RECORD_VERSION  1

typedef struct {
    char                   boot_id[FCA_BOOT_ID_LEN + 1];
    char                   worker_id[FCF_WORKER_ID_MAX + 1];
    char                   function_id[FCF_ID_MAX + 1];
    char                   request_id[FCF_REQUEST_ID_MAX + 1];
    char                  *job;         /* as taken; NULL: settled long ago */
    fca_instance_state_e   state;
    fcf_spec_t             spec;        /* as it was at the start */
    int                    declared;
    int                    slot;
    int64_t                lease;       /* the slot was put under */
    fca_nic_t              nic;
    int                    port;
    int64_t                born_ms;     /* CLOCK_BOOTTIME */
    int64_t                started_ms;  /* Unix time; 0: not yet */
} fca_record_t;

/* malloc'd; NULL: out of memory */
char *fca_record_encode(const fca_record_t *record);
/* Every field must be there, and no other.  On success the record is to be
 * freed. */
int fca_record_decode(fca_record_t *out, const char *text, size_t len,
    fcf_err_t *err) fcf_must_check;
void fca_record_free(fca_record_t *record);

/* the kernel's name for this run of the host; buf of FCA_BOOT_ID_LEN + 1 */
int fca_boot_id(char *buf, fcf_err_t *err) fcf_must_check;
int64_t fca_boottime_ms(void);

#endif /* _FCA_RECORD_H_INCLUDED_ */
