/* Firecracker's API as far as fcfaas uses it: a table of calls, and the rule
 * which of them are for before and which for after the start. */

#ifndef _FCV_API_H_INCLUDED_
#define _FCV_API_H_INCLUDED_

#include "vm/vmm/backend.h"

/* the version that it follows */
#define FCV_VERSION   "1.16.0"
#define FCV_MINOR     16
#define FCV_APP_NAME  "Firecracker"

#define FCV_LATER     0                 /* status: the answer comes by later */

typedef struct {
    int      status;                    /* 200, 204, 400 or FCV_LATER */
    json_t  *body;                      /* the receiver's; NULL: none */
} fcv_reply_t;

typedef enum {
    FCV_NOT_STARTED,
    FCV_STARTING,
    FCV_RUNNING,
    FCV_PAUSED
} fcv_state_e;

typedef struct fcv_api_s  fcv_api_t;

struct fcv_api_s {
    fcv_model_t           model;
    const fcv_backend_t  *backend;
    const char           *id;
    int                   minor;        /* of the version 1.x it answers as */
    fcv_state_e           state;        /* assigned by set_state() only */
    fcv_state_e           next, last;   /* of a call that is worked on: the
                                           state then, and if it fails */
    const char           *what;         /* that call, in words; NULL: none */
    unsigned              configured:1; /* too late for a load */
    unsigned              loading:1;    /* that call is one */
    unsigned              broken:1;     /* a load failed: the process ends */
    int                   memory_fd;    /* of that call; -1: none */

    /* the answer to the one request that was told FCV_LATER */
    void                (*later)(void *arg, fcv_reply_t *reply);
    void                 *later_arg;
};

/* method and path are NUL-terminated; later is set by the server before the
 * first request. */
void fcv_api_request(fcv_api_t *api, const char *method, const char *path,
    const char *body, size_t len, fcv_reply_t *reply);

/* a failed load has been answered: the exit code is to be 1 */
int fcv_api_broken(const fcv_api_t *api);

/* fcv_done_pt of the backend; arg is the fcv_api_t */
void fcv_api_done(void *arg, const fcf_err_t *err);

json_t *fcv_api_fault(const char *message);

#endif /* _FCV_API_H_INCLUDED_ */
