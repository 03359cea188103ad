/* What the parts of the API share: api*.c only. */

#ifndef _FCV_API_INT_H_INCLUDED_
#define _FCV_API_INT_H_INCLUDED_

#include "vm/vmm/api.h"
#include "vm/vmm/schema.h"

#define FCV_SEGMENT_MAX  80

typedef struct {
    fcv_api_t   *api;
    char         resource[FCV_SEGMENT_MAX]; /* first segment of the path */
    char         sub[FCV_SEGMENT_MAX];      /* the second, or "" */
    json_t      *body;                      /* checked; the handler's */
} fcv_call_t;

extern const char  fcv_after_start[], fcv_before_start[];

/* api.c */
void fcv_api_refuse(fcv_reply_t *reply, const char *message);
/* The backend works on a call that it answers by fcv_api_done(): then the
 * state is next, else it stays; what: before the words of a failure. */
void fcv_api_later(fcv_api_t *api, fcv_state_e next, const char *what,
    fcv_reply_t *reply);

/* api_vm.c: handlers; 0 (reply filled in, or 204 if untouched) or -1 */
int fcv_api_get_balloon(fcv_call_t *call, fcv_reply_t *reply, fcf_err_t *err);
int fcv_api_get_statistics(fcv_call_t *call, fcv_reply_t *reply,
    fcf_err_t *err);
int fcv_api_patch_balloon(fcv_call_t *call, fcv_reply_t *reply,
    fcf_err_t *err);
int fcv_api_patch_vm(fcv_call_t *call, fcv_reply_t *reply, fcf_err_t *err);
int fcv_api_create(fcv_call_t *call, fcv_reply_t *reply, fcf_err_t *err);
int fcv_api_load(fcv_call_t *call, fcv_reply_t *reply, fcf_err_t *err);
int fcv_api_patch_drive(fcv_call_t *call, fcv_reply_t *reply, fcf_err_t *err);
int fcv_api_patch_nic(fcv_call_t *call, fcv_reply_t *reply, fcf_err_t *err);
/* what is to be closed or written once a call of these has ended */
int fcv_api_vm_done(fcv_api_t *api, int failed, fcf_err_t *err);

#endif /* _FCV_API_INT_H_INCLUDED_ */
