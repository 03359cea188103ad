/* How an instant machine behaves: what its function image says
 * (FCV_INSTANT_MAGIC in vm/guest.h). */

#ifndef _FCV_INSTANT_CONF_H_INCLUDED_
#define _FCV_INSTANT_CONF_H_INCLUDED_

#include <stddef.h>
#include "contract/fcf_err.h"

#define FCV_INSTANT_MAX  4096           /* bytes of settings */
#define FCV_INSTANT_BODY_MAX  (64 * 1024 * 1024)

/* what is wrong with its guest */
typedef enum {
    FCV_GUEST_WELL,
    FCV_GUEST_PANIC,
    FCV_GUEST_SILENT,
    FCV_GUEST_HANG,
    FCV_GUEST_CUT,
    FCV_GUEST_N
} fcv_guest_e;

/* what goes wrong around a snapshot */
typedef enum {
    FCV_CLONE_WELL,
    FCV_CLONE_NONE,                     /* none is to be taken */
    FCV_CLONE_DEAF,                     /* its control port is silent */
    FCV_CLONE_REFUSES,                  /* to wake */
    FCV_CLONE_ENDS,                     /* when it is to wake */
    FCV_CLONE_LOST,                     /* awake, and silent */
    FCV_CLONE_N
} fcv_instant_clone_e;

/* Where it may fail, hang or end: what may be where says a table. */
typedef enum {
    FCV_STEP_NONE,
    FCV_STEP_START,
    FCV_STEP_PAUSE,
    FCV_STEP_SAVE,
    FCV_STEP_LOAD,
    FCV_STEP_BOOT,
    FCV_STEP_ANSWER,
    FCV_STEP_N
} fcv_step_e;

typedef struct {
    unsigned    boot_ms;
    unsigned    answer_ms;
    int         has_body;
    char        body[FCV_INSTANT_MAX];
    size_t      body_len;
    unsigned    body_bytes;             /* 0: body_len */
    char        say[256];               /* a line on the console, at boot */
    int         status;
    fcv_guest_e guest;
    fcv_step_e  fail, hang, exit;       /* at that step */
    unsigned    exit_after;             /* 0: never */
    int         ignore_stop;
    char        logs[1536];              /* instead of the op's frames */
    size_t      logs_len;
    unsigned    take_mb;                /* memory, once it is up */
    fcv_instant_clone_e  clone;
    int         forgets;                /* to seed user space anew */
    int         young;                  /* its kernel is */
} fcv_instant_conf_t;

const char *fcv_instant_step_name(fcv_step_e step);

/* data: the image's first bytes.  An image that does not begin with the magic
 * line gives the defaults.  -1 names the setting and its value. */
int fcv_instant_conf_parse(fcv_instant_conf_t *conf, const char *data,
    size_t len, fcf_err_t *err) fcf_must_check;

#endif /* _FCV_INSTANT_CONF_H_INCLUDED_ */
