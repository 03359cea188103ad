/* QEMU's command line for a machine. */

#ifndef _FCV_QEMU_ARGS_H_INCLUDED_
#define _FCV_QEMU_ARGS_H_INCLUDED_

#include "vm/vmm/model.h"

#define FCV_QEMU_BINARY    "qemu-system-x86_64"
#define FCV_QEMU_ARGS_MAX  160

/* counts up with each change that a guest saved before does not go on with */
#define FCV_QEMU_MACHINE  2

/* the trace event that tells the reset by i8042 from a triple fault */
#define FCV_QEMU_TRACE     "pckbd_kbd_write_command"

typedef struct {
    char      *argv[FCV_QEMU_ARGS_MAX + 1];     /* NULL-ended */
    unsigned   argc;
} fcv_args_t;

typedef struct {
    const char    *id;
    unsigned long  tsc_khz;
    int            qmp_fd, serial_fd;           /* QEMU's ends */
    int            incoming_fd;                 /* what is loaded; -1: it
                                                   boots; or: */
#define FCV_INCOMING_LATER  -2                  /* QMP's migrate-incoming */
    int            split_wx;                    /* translated code is mapped
                                                   twice: fcv_must_split_wx() */
} fcv_qemu_conf_t;

/* -1: out of memory */
int fcv_qemu_args(fcv_args_t *args, const fcv_model_t *model,
    const fcv_qemu_conf_t *conf, fcf_err_t *err) fcf_must_check;
/* What can be said of a machine with one processor before it is known; the rest
 * is read from the file. */
int fcv_qemu_args_ahead(fcv_args_t *args, const fcv_qemu_conf_t *conf,
    const char *file, fcf_err_t *err) fcf_must_check;
/* -1: the kernel of the PUT is none that boots; QEMU would run any file as a
 * kernel of old. */
int fcv_qemu_check_kernel(const fcv_model_t *model, fcf_err_t *err)
    fcf_must_check;
/* It finds its devices without ACPI: it knows virtio_mmio.device= and the MP
 * table.  Debian's does not, that of vm/kernel does; nor is this seen of one
 * that is compressed. */
int fcv_qemu_kernel_is_plain(const fcv_model_t *model);
void fcv_args_free(fcv_args_t *args);

/* The kernel's command line with what names the root device (root, may be
 * NULL) and what only emulation needs; plain: of a machine without ACPI.  The
 * caller frees it.  NULL: out of memory. */
char *fcv_qemu_cmdline(const char *boot_args, const char *root, int plain,
    unsigned long tsc_khz);

#endif /* _FCV_QEMU_ARGS_H_INCLUDED_ */
