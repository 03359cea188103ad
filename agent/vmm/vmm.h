/*
 * One virtual machine monitor process, driven through Firecracker's API
 * (https://github.com/firecracker-microvm/firecracker, 1.16 or later) on its
 * unix socket.  Steps are separate, so that the instance's state table
 * (instance.c) sees each one: spawn, configure, boot; and at any time EXITED.
 *
 * The process is made with clone3(CLONE_NEWPID | CLONE_PIDFD): one SIGKILL
 * ends everything below it.  Its directory holds the socket, the config drive
 * and the console FIFO, and is removed by fca_vmm_free().
 */

#ifndef _FCA_VMM_H_INCLUDED_
#define _FCA_VMM_H_INCLUDED_

#include <uv.h>
#include "agent/net/net.h"
#include "client/fcf_http.h"

#define FCA_CONSOLE_KEEP  4096          /* last bytes kept for failures */

typedef enum {
    FCA_VMM_SPAWNED,        /* the API socket answers GET / */
    FCA_VMM_CONFIGURED,     /* all PUTs done */
    FCA_VMM_BOOTED,         /* InstanceStart done */
    FCA_VMM_FAILED,         /* the step under way failed: err says why */
    FCA_VMM_EXITED          /* the process is reaped; once, always last; err
                               says how it ended */
} fca_vmm_event_e;

typedef struct fca_vmm_s  fca_vmm_t;

typedef void (*fca_vmm_pt)(void *arg, fca_vmm_event_e event,
    const fcf_err_t *err);

typedef struct {
    uv_loop_t    *uv;
    fcf_http_t   *http;
    const char   *binary;               /* firecracker, or our vm/vmm */
    const char *const *extra_args;      /* e.g. --backend qemu; NULL-ended */
    const char   *state_dir;            /* VM directories are made below */
    const char   *kernel;
    const char   *initrd;               /* NULL: none */
    const char   *kernel_args;          /* ours are added */
} fca_vmm_conf_t;

typedef struct {
    const char       *worker_id;        /* directory name, --id */
    int               cpu, memory_mb;
    const char       *runtime_image, *function_image;   /* paths */
    const char       *config_json;      /* for the config drive, vm/guest.h */
    const fca_nic_t  *nic;
    struct in_addr    gateway;
    unsigned          prefix_len;
} fca_vmm_spec_t;

/* Everything in *conf must outlive the vmm; *spec is copied.  The callback
 * runs from the loop only; SPAWNED or FAILED comes first.  A process that ends
 * while a step is under way gives FAILED, then EXITED; between steps EXITED
 * alone.  nic, images and config_json may be NULL: a trial boot.  NULL: the
 * spec is at fault; whatever else goes wrong is FAILED. */
fca_vmm_t *fca_vmm_spawn(const fca_vmm_conf_t *conf,
    const fca_vmm_spec_t *spec, fca_vmm_pt handler, void *arg,
    fcf_err_t *err);
void fca_vmm_configure(fca_vmm_t *vmm);
void fca_vmm_boot(fca_vmm_t *vmm);
/* asks the guest to stop over the control port; nothing is reported but, if
 * it works, EXITED */
void fca_vmm_stop_guest(fca_vmm_t *vmm, unsigned timeout_ms);
/* SIGKILL; EXITED follows */
void fca_vmm_kill(fca_vmm_t *vmm);
/* after EXITED, or if spawn's FAILED came without a process (fca_vmm_pid is
 * 0; EXITED follows there too unless freed): removes the directory, frees */
void fca_vmm_free(fca_vmm_t *vmm);

/* 0: no process; -1: being made, on a worker thread: fca_vmm_kill() works,
 * fca_vmm_free() must wait for the next event */
pid_t fca_vmm_pid(const fca_vmm_t *vmm);
/* last lines of the guest's console, printable, NUL-terminated */
size_t fca_vmm_console(const fca_vmm_t *vmm, char *buf, size_t size);

/* Ends and removes what a killed agent left: processes whose directory lies
 * below state_dir (found by their recorded pid and start time), and the
 * directories.  Synchronous, at start.  Returns how many processes. */
int fca_vmm_reclaim(const char *state_dir, fcf_err_t *err);

#endif /* _FCA_VMM_H_INCLUDED_ */
