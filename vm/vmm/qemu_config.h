#ifndef _FCV_QEMU_CONFIG_H_INCLUDED_
#define _FCV_QEMU_CONFIG_H_INCLUDED_

#include "vm/vmm/qemu_args.h"

/* What args say and given do not, as a file for QEMU's -readconfig.  The caller
 * frees it.  NULL: it cannot be said there, or no memory. */
char *fcv_qemu_config(const fcv_args_t *args, const fcv_args_t *given);

#endif /* _FCV_QEMU_CONFIG_H_INCLUDED_ */
