/* Kernel modules of the initramfs, for kernels that have them. */

#ifndef _FCV_MODULES_H_INCLUDED_
#define _FCV_MODULES_H_INCLUDED_

#include "contract/fcf_err.h"

/* Loads what dir/list names, in that order; no list: nothing to do. */
int fcv_modules_load(const char *dir, fcf_err_t *err) fcf_must_check;

#endif /* _FCV_MODULES_H_INCLUDED_ */
