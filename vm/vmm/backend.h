/* What runs the machine: QEMU, or nothing but its network (instant). */

#ifndef _FCV_BACKEND_H_INCLUDED_
#define _FCV_BACKEND_H_INCLUDED_

#include "vm/vmm/loop.h"
#include "vm/vmm/model.h"

/* A start, pause, save or load has ended; err == NULL: well.  Once for each,
 * never before it returns. */
typedef void (*fcv_done_pt)(void *arg, const fcf_err_t *err);

typedef struct {
    fcv_loop_t      *loop;
    fcv_model_t     *model;
    const char      *id;
    const char      *socket;            /* the API's; a place for a file */
    fcv_done_pt      done;
    void            *arg;
} fcv_vm_t;

typedef struct {
    const char  *name;
    int          vnet_hdr;              /* how it wants its TAPs */

    /* The only instance; *vm outlives it.  What can be prepared before the
     * machine is known begins here. */
    int        (*init)(fcv_vm_t *vm, fcf_err_t *err);
    /* -1: refused at once, done does not run; may be tried again, also after
     * a done that carried an error */
    int        (*start)(fcf_err_t *err);
    /* of a machine that runs, or goes on */
    int        (*pause)(int paused, fcf_err_t *err);
    /* of a paused one: what it holds, into the memory file */
    int        (*save)(int memory_fd, fcf_err_t *err);
    /* Which one it is, for a snapshot's state: what another saved is not
     * loaded.  NULL: its name says all. */
    const char *(*identity)(void);
    /* instead of start: what a save left, paused or not */
    int        (*load)(int memory_fd, int resume, fcf_err_t *err);
    /* SendCtrlAltDel */
    int        (*ctrl_alt_del)(fcf_err_t *err);
    /* a child has ended */
    void       (*reaped)(int pid, int status);
    /* as fcv_loop_t's tick */
    int        (*tick)(void);
    /* ends the machine at once, before the process exits */
    void       (*kill)(void);
} fcv_backend_t;

extern const fcv_backend_t  fcv_backend_qemu;
extern const fcv_backend_t  fcv_backend_instant;

const fcv_backend_t *fcv_backend_find(const char *name);

#endif /* _FCV_BACKEND_H_INCLUDED_ */
