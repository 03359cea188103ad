#ifndef _FCV_INSTANT_CLONE_H_INCLUDED_
#define _FCV_INSTANT_CLONE_H_INCLUDED_

#include <jansson.h>
#include "vm/vmm/instant.h"

int fcv_instant_snapshot(fcf_err_t *err) fcf_must_check;
/* the new place is taken a moment later */
int fcv_instant_wake(const json_t *request, fcf_err_t *err) fcf_must_check;

#endif /* _FCV_INSTANT_CLONE_H_INCLUDED_ */
