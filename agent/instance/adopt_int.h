/* What adopt.c and instance_adopt.c share. */

#ifndef _FCA_ADOPT_INT_H_INCLUDED_
#define _FCA_ADOPT_INT_H_INCLUDED_

#include "agent/instance/adopt.h"
#include "agent/instance/record.h"

/* a VM that is gone on with */
typedef struct {
    fca_record_t     record;
    uint64_t         number;
    fca_vmm_left_t   vm;
} fca_heir_t;

struct fca_legacy_s {
    char             node_id[FCF_ID_MAX + 1];
    char             boot_id[FCA_BOOT_ID_LEN + 1];
    fca_heir_t      *heirs;
    fca_nic_t       *nics;              /* of each */
    size_t           n, size;
};

#endif /* _FCA_ADOPT_INT_H_INCLUDED_ */
