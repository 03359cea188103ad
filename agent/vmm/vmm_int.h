/*
 * Shared by vmm*.c only.  Everything runs on the loop's thread.
 */

#ifndef _FCA_VMM_INT_H_INCLUDED_
#define _FCA_VMM_INT_H_INCLUDED_

#include <signal.h>
#include <sys/types.h>

#include "agent/vmm/vmm.h"
#include "contract/fcf_names.h"

/* names in a VM's directory */
#define FCA_VMM_PID      "pid"          /* "<pid> <start time>"; made first */
#define FCA_VMM_SOCKET   "api.sock"
#define FCA_VMM_CONFIG   "config.img"
#define FCA_VMM_CONSOLE  "console"
#define FCA_VMM_LOG      "console.log"
#define FCA_VMM_OUTPUT   "vmm.log"      /* the VMM's own output */

#define FCA_VMM_PATH     512
#define FCA_VMM_ID_MAX   64             /* Firecracker's, for --id */
#define FCA_CONSOLE_FILE_MAX  65536     /* bytes of console.log */

/* state, whether a step is under way that a dying process fails */
#define FCA_VMM_STATES(X)                                                   \
    X(STARTING, 1)          /* spawned, the API does not answer yet */      \
    X(SPAWNED, 0)                                                           \
    X(CONFIGURING, 1)                                                       \
    X(CONFIGURED, 0)                                                        \
    X(BOOTING, 1)                                                           \
    X(BOOTED, 0)                                                            \
    X(FAILED, 0)            /* a step failed; the process may still live */ \
    X(EXITED, 0)

typedef enum {
#define FCA_VMM_STATE(name, busy)  FCA_VMM_IS_##name,
    FCA_VMM_STATES(FCA_VMM_STATE)
#undef FCA_VMM_STATE
    FCA_VMM_NSTATES
} fca_vmm_state_e;

typedef struct fca_control_s  fca_control_t;

typedef struct {
    int            fd;                  /* FIFO, both ends; -1: none */
    int            log;                 /* console.log; -1: full or none */
    size_t         logged;
    uv_poll_t      poll;
    size_t         len;                 /* bytes ever seen */
    char           keep[FCA_CONSOLE_KEEP];
} fca_console_t;

struct fca_vmm_s {
    const fca_vmm_conf_t  *conf;
    fca_vmm_pt             handler;
    void                  *arg;
    fca_vmm_state_e        state;

    /* copy of the spec; paths are absolute, since the VMM runs elsewhere */
    char                   worker_id[FCF_WORKER_ID_MAX + 1];
    int                    cpu, memory_mb;
    char                  *runtime_image, *function_image;
    char                  *kernel, *initrd;
    char                  *config;      /* the drive's bytes, until written */
    size_t                 config_len;
    int                    has_config, has_nic;
    fca_nic_t              nic;
    struct in_addr         gateway;
    unsigned               prefix_len;

    char                   dir[FCA_VMM_PATH];
    char                   socket[FCA_VMM_PATH];

    pid_t                  pid;
    int                    pidfd;
    int                    sync;        /* the child's errno if exec fails */
    int                    freed, killed;
    int                    unreaped;    /* dead; the timer looks again */
    /* the worker thread has the vmm: making directory and process */
    int                    working;
    int                    work_rc;
    fcf_err_t              work_err;
    uv_work_t              work;
    unsigned               nhandles;    /* libuv handles not yet closed */

    uv_poll_t              exit;
    uv_fs_event_t          watch;       /* until the socket appears */
    uv_timer_t             timer;       /* next probe, or a deferred failure */
    fcf_err_t              deferred;

    const struct fca_vmm_step_s  *step; /* of the API sequence under way */
    fcf_http_req_t        *req;
    fca_console_t          console;
    fca_control_t         *control;
};

/* vmm.c */
/* the step under way succeeded or failed: reports it.  *err may lie in vmm */
void fca_vmm_step_done(fca_vmm_t *vmm, const fcf_err_t *err);
/* the same with a failure, from the loop's next turn */
void fca_vmm_step_fail_later(fca_vmm_t *vmm, const fcf_err_t *err);
/* the API does not listen yet */
void fca_vmm_probe_later(fca_vmm_t *vmm, unsigned ms);
/* a handle of vmm's own was initialised; close with fca_vmm_handle_close() */
void fca_vmm_handle_add(fca_vmm_t *vmm, uv_handle_t *handle);
void fca_vmm_handle_close(uv_handle_t *handle);

/* vmm_spec.c */
/* checks and copies, also what follows from it: paths */
int fca_vmm_spec_copy(fca_vmm_t *vmm, const fca_vmm_spec_t *spec,
    fcf_err_t *err) fcf_must_check;
void fca_vmm_spec_free(fca_vmm_t *vmm);

/* vmm_dir.c */
/* files are not made twice: the config drive's bytes are wiped */
int fca_vmm_dir_make(fca_vmm_t *vmm, fcf_err_t *err) fcf_must_check;
/* removes a VM's directory with all that is in it; 0 also if there is none */
int fca_vmm_dir_remove(const char *path, fcf_err_t *err);
/* raw image for the config drive, the caller's to free */
char *fca_vmm_config_image(const char *json, size_t *len, fcf_err_t *err);
int fca_vmm_pid_write(const char *dir, pid_t pid, fcf_err_t *err)
    fcf_must_check;
/* 0 and the process; 1 if the file is there and names none; -1: no file */
int fca_vmm_pid_read(const char *dir, pid_t *pid, unsigned long long *start);
/* field 22 of /proc/<pid>/stat; 0: no such process */
unsigned long long fca_proc_start_time(pid_t pid);
/* last line of the VMM's own output, "" if there is none */
void fca_vmm_last_words(const fca_vmm_t *vmm, char *buf, size_t size);

/* vmm_spawn.c */
int fca_vmm_process_start(fca_vmm_t *vmm, fcf_err_t *err) fcf_must_check;
/* how the process ended; with last_words also what it said last */
void fca_vmm_exit_words(const fca_vmm_t *vmm, const siginfo_t *info,
    int last_words, fcf_err_t *err);

/* vmm_api.c */
/* each leads to fca_vmm_step_done(), never before it returns */
void fca_vmm_api_probe(fca_vmm_t *vmm);
void fca_vmm_api_configure(fca_vmm_t *vmm);
void fca_vmm_api_boot(fca_vmm_t *vmm);
void fca_vmm_api_cancel(fca_vmm_t *vmm);

/* vmm_console.c */
int fca_vmm_console_open(fca_vmm_t *vmm, fcf_err_t *err) fcf_must_check;
/* what is in the FIFO still, then no more */
void fca_vmm_console_close(fca_vmm_t *vmm);

/* vmm_control.c */
/* One try within timeout_ms, in silence.  *slot is set while it lasts. */
void fca_control_stop(uv_loop_t *uv, struct in_addr guest,
    unsigned timeout_ms, fca_control_t **slot);
void fca_control_cancel(fca_control_t *control);

#endif /* _FCA_VMM_INT_H_INCLUDED_ */
