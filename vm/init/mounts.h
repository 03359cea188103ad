/* File systems: those of the kernel, and the root that the function sees. */

#ifndef _FCV_MOUNTS_H_INCLUDED_
#define _FCV_MOUNTS_H_INCLUDED_

#include "contract/fcf_err.h"

/* /proc, /sys and /dev of the initramfs */
int fcv_mount_kernel(fcf_err_t *err) fcf_must_check;

/* 1: the function has its own root file system, and there is no other drive
 * but that of the configuration */
int fcv_own_root(void);
/* the drive of the configuration */
const char *fcv_config_drive(void);

/* The runtime (/dev/vda) under a writable layer in memory, the function
 * (/dev/vdb) on its /function, or the function's own root file system; then
 * makes that the root of this process and of all to come.  The drives are for
 * root's eyes only from here on. */
int fcv_mount_root(fcf_err_t *err) fcf_must_check;

/* one small file, made or overwritten */
int fcv_write_file(const char *path, const char *text, fcf_err_t *err)
    fcf_must_check;

#endif /* _FCV_MOUNTS_H_INCLUDED_ */
