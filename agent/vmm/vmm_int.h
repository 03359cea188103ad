/*
 * Shared by vmm*.c only.  Everything runs on the loop's thread.
 */

#ifndef _FCA_VMM_INT_H_INCLUDED_
#define _FCA_VMM_INT_H_INCLUDED_

#include <signal.h>
#include <sys/types.h>

#include <jansson.h>

#include "agent/base/ring.h"
#include "agent/vmm/vmm.h"
#include "contract/fcf_names.h"

/* names in a VM's directory */
#define FCA_VMM_PID      "pid"          /* its process; made first */
#define FCA_VMM_SOCKET   "api.sock"
#define FCA_VMM_KERNEL   "kernel"
#define FCA_VMM_INITRD   "initrd"
#define FCA_VMM_RUNTIME  "runtime.img"
#define FCA_VMM_FUNCTION "function.img"
#define FCA_VMM_CONFIG   "config.img"
#define FCA_VMM_CONSOLE  "console"      /* FIFO */
#define FCA_VMM_JAIL     "jail"         /* link to its jail, if it has one */
#define FCA_VMM_SAID     "console.said" /* what came out of it so far */
#define FCA_VMM_OUTPUT   "vmm.log"      /* FIFO: the VMM's own output */

#define FCA_VMM_PATH     512
#define FCA_VMM_ID_MAX   64             /* Firecracker's, for --id */
/* what a VMM may write into a file: none of its own grows, but QEMU keeps what
 * it has translated, 56 MiB (vm/vmm/qemu_args.c), in one of memory's */
#define FCA_VMM_FILE_MAX_MB  64
/* a template's memory, and what a stand-in's has beside it */
#define FCA_VMM_SNAP_MORE_MB  64
#define FCA_OUTPUT_MAX   8192

/* state, whether a step is under way that a dying process fails */
#define FCA_VMM_STATES(X)                                                   \
    X(STARTING, 1)          /* spawned, the API does not answer yet */      \
    X(SPAWNED, 0)                                                           \
    X(CONFIGURING, 1)                                                       \
    X(CONFIGURED, 0)                                                        \
    X(BOOTING, 1)                                                           \
    X(RESTORING, 1)                                                         \
    X(LOADING, 1)                                                           \
    X(LOADED, 0)            /* a snapshot, paused */                        \
    X(RESUMING, 1)                                                          \
    X(BOOTED, 0)                                                            \
    X(SAVING, 1)                                                            \
    X(SAVED, 0)                                                             \
    X(FAILED, 0)            /* a step failed; the process may still live */ \
    X(EXITED, 0)

typedef enum {
#define FCA_VMM_STATE(name, busy)  FCA_VMM_IS_##name,
    FCA_VMM_STATES(FCA_VMM_STATE)
#undef FCA_VMM_STATE
    FCA_VMM_NSTATES
} fca_vmm_state_e;

/* bytes of a frame's length, before its text */
#define FCA_CONTROL_HEAD  4

typedef struct fca_control_s   fca_control_t;
typedef struct fca_follow_s    fca_follow_t;
typedef struct fca_vmm_call_s  fca_vmm_call_t;

/* a FIFO and the last that came out of it */
typedef struct {
    int            fd;                  /* both ends; -1: none */
    uv_poll_t      poll;
    fca_ring_t     ring;
} fca_pipe_t;

/* a program's file; ino 0: unknown */
typedef struct {
    unsigned long long  dev, ino;
} fca_exe_t;

typedef struct {
    pid_t               pid;
    unsigned long long  start;          /* field 22 of /proc/<pid>/stat */
    fca_exe_t           exe, before;    /* the VMM's, and the agent's */
} fca_proc_t;

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
    char                  *snap_state, *snap_memory;
    int                    template;
    fca_vmm_said_pt        said;        /* NULL: nobody listens */
    char                  *config;      /* the drive's bytes, until written */
    size_t                 config_len;
    char                  *record;      /* until written */
    int                    has_config, has_nic;
    fca_nic_t              nic;
    struct in_addr         gateway;
    unsigned               prefix_len;

    char                   dir[FCA_VMM_PATH];
    int                    dirfd;       /* until the guest is started */
    char                  *jail;        /* directory; NULL: none */
    int                    jailfd;      /* its root, as long as dirfd; -1 */
    uid_t                  uid;

    pid_t                  pid;
    int                    pidfd;
    char                   version[FCA_VMM_VERSION_MAX];
    fca_blame_e            blame;
    int                    has_dir, freed, killed;
    int                    adopted;     /* no child of ours */
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
    uv_timer_t             limit;       /* of the start, or of a call */
    uint64_t               limit_from;  /* when that began, and how long it */
    uint64_t               limit_waited;    /* had waited for a CPU by then */
    int                    limit_last;  /* one more turn, then it is over */
    fcf_err_t              deferred;
    int                    cut;         /* an exit says more than deferred */

    const fca_vmm_call_t  *call;        /* of the API sequence under way */
    fcf_http_req_t        *req;
    fca_pipe_t             console, output;
    fca_control_t         *control;
    fca_follow_t          *follow;      /* what its function prints */
};

/* vmm.c */
/* the only one that assigns vmm->state */
void fca_vmm_set_state(fca_vmm_t *vmm, fca_vmm_state_e state);
/* a step is under way */
int fca_vmm_busy(const fca_vmm_t *vmm);
/* before the state changes */
void fca_vmm_blame_set(fca_vmm_t *vmm, const fcf_err_t *err);
void fca_fd_close(int *fd);
/* the step under way succeeded or failed: reports it.  *err may lie in vmm */
void fca_vmm_step_done(fca_vmm_t *vmm, const fcf_err_t *err);
/* the same with a failure, from the loop's next turn */
void fca_vmm_step_fail_later(fca_vmm_t *vmm, const fcf_err_t *err);
/* the same, unless the process turns out to have ended, and how */
void fca_vmm_step_fail_unless_exit(fca_vmm_t *vmm, const fcf_err_t *err);
/* the API does not listen yet */
void fca_vmm_probe_later(fca_vmm_t *vmm, unsigned ms);
/* one that does nothing yet */
fca_vmm_t *fca_vmm_new(const fca_vmm_conf_t *conf, const fca_vmm_spec_t *spec,
    fca_vmm_pt handler, void *arg, fcf_err_t *err);
/* a handle of vmm's own was initialised; close with fca_vmm_handle_close() */
void fca_vmm_handle_add(fca_vmm_t *vmm, uv_handle_t *handle);
void fca_vmm_handle_close(uv_handle_t *handle);

/* vmm_spec.c */
/* checks and copies, also what follows from it: paths */
int fca_vmm_spec_copy(fca_vmm_t *vmm, const fca_vmm_spec_t *spec,
    fcf_err_t *err) fcf_must_check;
void fca_vmm_spec_free(fca_vmm_t *vmm);

/* vmm_work.c */
/* directory and process, on a worker thread; leads to a step's end */
int fca_vmm_start(fca_vmm_t *vmm, fcf_err_t *err) fcf_must_check;
/* the end of the process is noticed */
int fca_vmm_exit_start(fca_vmm_t *vmm, fcf_err_t *err) fcf_must_check;
/* 1: vmm's timer was for this */
int fca_vmm_reap_again(fca_vmm_t *vmm);
/* on a worker thread that outlives vmm */
void fca_vmm_dir_remove_later(const fca_vmm_t *vmm,
    void (*gone)(void *arg), void *arg);

/* vmm_limit.c */
/* the VMM has so long to answer, from now on */
void fca_vmm_limit_init(fca_vmm_t *vmm);
void fca_vmm_limit_start(fca_vmm_t *vmm);
void fca_vmm_limit_stop(fca_vmm_t *vmm);

/* vmm_dir.c: on a worker thread */
/* The directory, its files and FIFOs; on failure nothing is left of it.  The
 * config drive's bytes are wiped. */
int fca_vmm_dir_make(fca_vmm_t *vmm, fcf_err_t *err) fcf_must_check;
/* Takes it away and removes it with all that is in it, and the jail that it
 * leads to; 0 also if there is none. */
int fca_vmm_dir_remove(const char *dir, fcf_err_t *err);
/* what such a removal did not come to the end of */
void fca_vmm_dirs_sweep(const char *run_dir);
/* raw image for the config drive, the caller's to free */
char *fca_vmm_config_image(const char *json, size_t *len, fcf_err_t *err);
/* where the VMM finds its files: the directory, or its jail's root */
int fca_vmm_files_fd(const fca_vmm_t *vmm);
/* what a VM's directory leads to, malloc'd; NULL: it has no jail */
char *fca_vmm_jail_of(const char *dir);
/* a new file of that content, for root only */
int fca_vmm_file_write(int dirfd, const char *name, const char *data,
    size_t len, fcf_err_t *err) fcf_must_check;
/* -1: dirfd is closed already */
int fca_vmm_socket_path(const fca_vmm_t *vmm, char *buf, size_t size)
    fcf_must_check;

/* vmm_pid.c */
int fca_vmm_pid_write(int dirfd, pid_t pid, const char *program,
    fcf_err_t *err) fcf_must_check;
/* 0 and the process; 1 if the file is there and names none; -1: no file */
int fca_vmm_pid_read(const char *dir, fca_proc_t *proc);
/* it lives, and no other process has its pid */
int fca_proc_is(const fca_proc_t *proc, const char *dir);
/* it is its jail's user, which nobody else is */
int fca_proc_of_jail(pid_t pid, const char *jail);
/* 0: no such process */
unsigned long long fca_proc_start_time(pid_t pid);

/* vmm_memory.c */
/* its cgroup's limit; a sentence if that is what ended it, else "" */
void fca_vmm_memory_words(const fca_vmm_t *vmm, char *buf, size_t size);

/* vmm_spawn.c */
/* the name that Firecracker is given, and its jail; of FCA_VMM_ID_MAX + 1 */
void fca_vmm_id(const char *worker_id, char *id);
int fca_vmm_process_start(fca_vmm_t *vmm, fcf_err_t *err) fcf_must_check;
/* how the process ended; with last_words also what it said last */
void fca_vmm_exit_words(const fca_vmm_t *vmm, const siginfo_t *info,
    int last_words, fcf_err_t *err);

/* vmm_api.c */
/* A sequence of vmm_calls.c, for the state that vmm is in; none is empty: its
 * first call is never left out.  Leads to fca_vmm_step_done(), never before it
 * returns. */
void fca_vmm_api_start(fca_vmm_t *vmm, const fca_vmm_call_t *calls);
void fca_vmm_api_cancel(fca_vmm_t *vmm);

/* vmm_calls.c: the sequences */
struct fca_vmm_call_s {
    const char   *method;               /* NULL: end of the sequence */
    const char   *path;
    /* NULL: no body.  1: this VM has no such thing, go on with the next */
    int         (*body)(const fca_vmm_t *vmm, json_t **out);
};

extern const fca_vmm_call_t  fca_vmm_probe_calls[], fca_vmm_configure_calls[],
                             fca_vmm_boot_calls[], fca_vmm_look_calls[],
                             fca_vmm_restore_calls[], fca_vmm_resume_calls[],
                             fca_vmm_save_calls[];

/* vmm_answer.c.  body: NUL-terminated; a NUL inside ends it. */

/* keeps the version, or refuses it */
int fca_vmm_version_take(fca_vmm_t *vmm, const char *body, fcf_err_t *err)
    fcf_must_check;
/* of version 1.N: N; 0 of an older one, -1: no version */
int fca_vmm_minor(const char *version);
/* 1: so says a VMM whose host has no disk, memory or descriptor left for it */
int fca_vmm_host_lacks(const char *words);
/* what GET / says: that the guest was started, or not */
int fca_vmm_running_take(const char *body, fcf_err_t *err) fcf_must_check;
/* -1: the words of {"fault_message": "..."}; a body of another form is
 * quoted */
int fca_vmm_refused_take(const fca_vmm_call_t *call, long status,
    const char *body, fcf_err_t *err);

/* vmm_console.c */
void fca_vmm_pipes_init(fca_vmm_t *vmm);
int fca_vmm_fifo_open(int dirfd, const char *name, fcf_err_t *err)
    fcf_must_check;
int fca_vmm_pipes_watch(fca_vmm_t *vmm, fcf_err_t *err) fcf_must_check;
/* what is in the FIFOs still, then no more */
void fca_vmm_pipes_close(fca_vmm_t *vmm);
void fca_vmm_pipes_free(fca_vmm_t *vmm);
/* the last lines of the VMM's own output, as one; "" if there are none */
void fca_vmm_last_words(const fca_vmm_t *vmm, char *buf, size_t size);

/* vmm_control.c */
/* what the control port hears and says (vm/guest.h): the length, and the text.
 * frame has room for both; their length is returned */
size_t fca_control_frame(char *frame, const char *text);
size_t fca_control_length(const char *frame);
/* One try within timeout_ms, in silence.  *slot is set while it lasts. */
void fca_control_stop(uv_loop_t *uv, const fca_nic_t *nic,
    unsigned timeout_ms, fca_control_t **slot);
void fca_control_cancel(fca_control_t *control);
/* tcp, made by uv_tcp_init_ex(), to the guest's control port; -1: it is not
 * under way, and connected is never called */
int fca_control_connect(uv_tcp_t *tcp, uv_connect_t *connect,
    const fca_nic_t *nic, uv_connect_cb connected);

/* vmm_follow.c */
/* what has come so far is kept */
void fca_follow_cancel(fca_follow_t *follow);

#endif /* _FCA_VMM_INT_H_INCLUDED_ */
