/*
 * One virtual machine monitor process, driven through Firecracker's API
 * (https://github.com/firecracker-microvm/firecracker, 1.14 or later) on its
 * unix socket.  Steps are separate, so that the instance's state table
 * (instance.c) sees each one: spawn, configure, boot; and at any time EXITED.
 *
 * The process is made with clone3(CLONE_NEWPID | CLONE_PIDFD): one SIGKILL
 * ends everything below it.  Its directory holds the socket, names of all the
 * files it is given, and the FIFOs of the console and of its own output; it is
 * removed on a worker thread after fca_vmm_free().
 */

#ifndef _FCA_VMM_H_INCLUDED_
#define _FCA_VMM_H_INCLUDED_

#include <uv.h>
#include "agent/net/net.h"
#include "agent/vmm/vmm_cgroup.h"
#include "agent/vmm/vmm_jail.h"
#include "client/fcf_http.h"
#include "contract/fcf_names.h"

#define FCA_VMM_RECORD    "record"      /* a file in a VM's directory */
/* processes and threads of one; what is seen is six to twelve */
#define FCA_VMM_PIDS      128
#define FCA_CONSOLE_KEEP  4096          /* last bytes shown of a failure */
#define FCA_CONSOLE_MAX   65536         /* last bytes kept of the console */

/* PUT /serial came with it; an older VMM is refused */
#define FCA_VMM_MINOR_MIN    14         /* of 1.x */
#define FCA_VMM_VERSION_MAX  32
#define FCA_VMM_ANSWER_MS    2000

typedef enum {
    FCA_VMM_SPAWNED,        /* the API socket answers GET / */
    FCA_VMM_CONFIGURED,     /* all PUTs done */
    FCA_VMM_BOOTED,         /* InstanceStart done, or a snapshot runs */
    FCA_VMM_FAILED,         /* the step under way failed: err says why */
    FCA_VMM_EXITED,         /* the process is reaped; once, always last; err
                               says how it ended */
    FCA_VMM_SAVED,          /* paused, and a snapshot written */
    FCA_VMM_LOADED          /* a snapshot, and paused */
} fca_vmm_event_e;

/* Whose fault a failure or an exit is. */
typedef enum {
    FCA_BLAME_NOBODY,       /* it has not failed, or was told to end */
    FCA_BLAME_HOST,         /* another node may well start this VM */
    FCA_BLAME_SPEC,         /* what was asked for is refused: on any node */
    FCA_BLAME_GUEST         /* it ran, and ended */
} fca_blame_e;

typedef struct fca_vmm_s  fca_vmm_t;

typedef enum {
    FCA_STREAM_OUT,         /* of the function */
    FCA_STREAM_ERR,
    FCA_STREAM_CONSOLE,     /* of the guest: its kernel's and init's words */
    FCA_STREAM_LOST,        /* that something was printed which nobody has */
    FCA_STREAMS
} fca_stream_e;

/* how long the mark is that data begins with, which says whose a line is
 * (vm/guest.h); 0: it begins with none */
size_t fca_mark_len(const char *data, size_t len);

/* bytes as they came, and how many before them nobody kept */
typedef void (*fca_vmm_said_pt)(void *arg, fca_stream_e stream,
    const char *data, size_t len, uint64_t dropped);

typedef void (*fca_vmm_pt)(void *arg, fca_vmm_event_e event,
    const fcf_err_t *err);

/* What a guest may take, a second; 0: as much as it can. */
typedef struct {
    unsigned      serial_kb;            /* KiB on the serial console */
    unsigned      drive_mb;             /* MiB of each drive */
    unsigned      drive_ops;            /* requests to each drive */
    unsigned      net_mb;               /* MiB in, and as much out */
} fca_vmm_rates_t;

typedef struct {
    uv_loop_t    *uv;
    fcf_http_t   *http;
    const char   *binary;               /* firecracker, or our vm/vmm: path */
    const char *const *extra_args;      /* e.g. --backend qemu; NULL-ended */
    const char   *run_dir;              /* VM directories are made below */
    const char   *kernel;
    const char   *initrd;               /* NULL: none */
    const char   *kernel_args;          /* ours are added */
    unsigned      answer_ms;            /* for the VMM to answer its API, and
                                           each call; 0: FCA_VMM_ANSWER_MS */
    fca_vmm_rates_t  rates;
    /* FCA_VMM_VERSION_MAX bytes for what the last VMM said of itself, before
     * SPAWNED; NULL: nobody wants it */
    char         *version;
    const fca_cgroups_t  *cgroups;      /* NULL: no limits */
    fca_jail_t       *jail;             /* NULL: none */
    unsigned          overhead_mb;      /* what the VMM takes besides the
                                           guest's memory; 0: by its kind */
} fca_vmm_conf_t;

typedef struct {
    const char       *worker_id;        /* directory name, --id */
    int               cpu, memory_mb;
    const char       *runtime_image, *function_image;   /* paths */
    const char       *config_json;      /* for the config drive, vm/guest.h */
    const char       *record;           /* there before the process runs;
                                           NULL: none */
    const fca_nic_t  *nic;
    struct in_addr    gateway;
    unsigned          prefix_len;
    uid_t             uid;              /* in a jail: its user and group */
    const char       *snap_state, *snap_memory; /* what fca_vmm_restore() is
                                           to load: paths; NULL */
    int               template;         /* fca_vmm_save() will be called */
    fca_vmm_said_pt   said;             /* NULL: nobody listens; never after
                                           EXITED */
} fca_vmm_spec_t;

/* All that a VM with so much memory takes. */
int fca_vmm_memory_mb(const fca_vmm_conf_t *conf, int memory_mb);

/* Everything in *conf must outlive the vmm; *spec is copied.  The callback
 * runs from the loop only; SPAWNED or FAILED comes first.  A process that ends
 * while a step is under way gives FAILED, then EXITED; between steps EXITED
 * alone.  nic, images and config_json may be NULL: a trial boot.  NULL: the
 * spec is at fault; whatever else goes wrong is FAILED. */
fca_vmm_t *fca_vmm_spawn(const fca_vmm_conf_t *conf,
    const fca_vmm_spec_t *spec, fca_vmm_pt handler, void *arg,
    fcf_err_t *err);
/* One that was started before anybody knew for what, between two steps: from
 * now on it is arg's, and handler and said (may be NULL) are told. */
void fca_vmm_hand(fca_vmm_t *vmm, fca_vmm_pt handler, fca_vmm_said_pt said,
    void *arg);
/* the NIC that its guest will have; *nic is copied */
void fca_vmm_nic(fca_vmm_t *vmm, const fca_nic_t *nic);
void fca_vmm_configure(fca_vmm_t *vmm);
void fca_vmm_boot(fca_vmm_t *vmm);
/* Instead of configuring and booting: loads the snapshot that the spec names,
 * which runs from then on.  What fails ends the process. */
void fca_vmm_restore(fca_vmm_t *vmm);
/* The same in two steps: LOADED, and it is paused; then BOOTED. */
void fca_vmm_load(fca_vmm_t *vmm);
void fca_vmm_resume(fca_vmm_t *vmm);
/* Of a template that was booted: SAVED or FAILED.  The files are
 * FCA_SNAP_STATE and FCA_SNAP_MEMORY (snaps.h) below fca_vmm_files(). */
void fca_vmm_save(fca_vmm_t *vmm);
/* a template's directory of files, as long as it is not freed */
int fca_vmm_files(const fca_vmm_t *vmm);
/* what its function prints comes into the console, from the oldest kept on;
 * of a guest that is up, which is told the time */
void fca_vmm_follow(fca_vmm_t *vmm);
/* asks the guest to stop over the control port; nothing is reported but, if
 * it works, EXITED */
void fca_vmm_stop_guest(fca_vmm_t *vmm, unsigned timeout_ms);
/* The agent ends and the VM goes on: what its console has said is left for
 * the next one.  Waits for the disk, and nothing but the process's end may
 * come after it. */
void fca_vmm_leave(const fca_vmm_t *vmm);
/* SIGKILL; EXITED follows */
void fca_vmm_kill(fca_vmm_t *vmm);
/* The same as fca_vmm_free(); gone runs from the loop when nothing is left of
 * the directory, so that another VM may have its name. */
void fca_vmm_free_then(fca_vmm_t *vmm, void (*gone)(void *arg), void *arg);
/* after EXITED, or if spawn's FAILED came without a process (fca_vmm_pid is
 * 0; EXITED follows there too unless freed): frees; the directory is removed
 * by a worker thread, and the loop lives until it is */
void fca_vmm_free(fca_vmm_t *vmm);

/* 0: no process; -1: being made, on a worker thread: fca_vmm_kill() works,
 * fca_vmm_free() must wait for the next event */
pid_t fca_vmm_pid(const fca_vmm_t *vmm);
/* meaningful from FAILED or EXITED on */
fca_blame_e fca_vmm_blame(const fca_vmm_t *vmm);
/* its user and group; 0: it is in no jail */
uid_t fca_vmm_uid(const fca_vmm_t *vmm);
/* what GET / said, "" before SPAWNED */
const char *fca_vmm_version(const fca_vmm_t *vmm);

/* The last lines of the guest's console that fit, NUL-terminated and escaped
 * (fcf_text_clean()). */
size_t fca_vmm_console(const fca_vmm_t *vmm, char *buf, size_t size);
/* The last bytes as they came, at most FCA_CONSOLE_MAX, whatever state the VM
 * is in; and how many ever came. */
size_t fca_vmm_console_tail(const fca_vmm_t *vmm, char *buf, size_t size);
uint64_t fca_vmm_console_seen(const fca_vmm_t *vmm);

/* A VM that an earlier agent left. */
typedef struct {
    char          worker_id[FCF_WORKER_ID_MAX + 1];
    pid_t         pid;
    int           pidfd;                /* of its process, no other; -1: none
                                           lives */
    const char   *record;               /* as written; NULL: none */
    size_t        record_len;
} fca_vmm_left_t;

/* 1: it is gone on with, and left->pidfd is the callee's */
typedef int (*fca_vmm_keep_pt)(void *arg, const fca_vmm_left_t *left);

/* Finds what an earlier agent left: processes whose directory lies below
 * run_dir (known by their recorded pid, start time and program), and the
 * directories.  What keep (may be NULL) does not want is ended and removed.
 * Synchronous, at start.  Returns how many processes were ended. */
int fca_vmm_reclaim(const char *run_dir, fca_vmm_keep_pt keep, void *arg,
    fcf_err_t *err);

/* Goes on with one; its pidfd is taken in any case, and the process killed if
 * this fails.  ask: whether its guest was started is not known: BOOTED or
 * FAILED says so.  Else nothing is reported but its end: without its exit
 * status, since it is no child. */
fca_vmm_t *fca_vmm_adopt(const fca_vmm_conf_t *conf,
    const fca_vmm_spec_t *spec, const fca_vmm_left_t *left, int ask,
    fca_vmm_pt handler, void *arg, fcf_err_t *err);

#endif /* _FCA_VMM_H_INCLUDED_ */
