/*
 * A guest that a snapshot is taken of, and one that wakes as its clone, as a
 * table of states and events:
 *
 *     idle      none of both is under way
 *     asked     the function's hook before a snapshot is awaited
 *     waking    clock and random pool are set; its hook after a restore is
 *               awaited
 *     leaving   the host has its answer, at the old address; once it knows
 *               that, the new one is taken
 */

#ifndef _FCV_CLONE_H_INCLUDED_
#define _FCV_CLONE_H_INCLUDED_

#include <jansson.h>
#include "vm/init/config.h"
#include "vm/init/control.h"
#include "vm/init/hook.h"

#define FCV_CLONE_STATES(X)                                                  \
    X(IDLE, "idle")                                                          \
    X(ASKED, "asked")                                                        \
    X(WAKING, "waking")                                                      \
    X(LEAVING, "leaving")

#define FCV_CLONE_EVENTS(X)                                                  \
    X(ASK, "asked for a snapshot")                                           \
    X(WAKE, "told to wake")                                                  \
    X(ANSWERED, "the hook has answered")                                     \
    X(FAILED, "the hook has failed")                                         \
    X(HEARD, "the host has its answer")

#define FCV_CLONE_STATE_ENUM(name, text)  FCV_CLONE_##name,
#define FCV_CLONE_EVENT_ENUM(name, text)  FCV_CLONE_ON_##name,

typedef enum {
    FCV_CLONE_STATES(FCV_CLONE_STATE_ENUM)
    FCV_CLONE_NSTATES
} fcv_clone_e;

typedef enum {
    FCV_CLONE_EVENTS(FCV_CLONE_EVENT_ENUM)
    FCV_CLONE_NEVENTS
} fcv_clone_event_e;

typedef struct {
    fcv_clone_e      state;
    fcv_config_t    *conf;
    fcv_control_t   *control;
    fcv_hook_t       hook;
    int              reseeds;
    int64_t          deadline_ms;           /* of LEAVING */
    struct in_addr   address;               /* to be taken */
    uint8_t          mac[ETH_ALEN];
    char             hostname[FCV_HOSTNAME_MAX + 1];
} fcv_clone_t;

/* both must outlive it; *conf gets the new address */
void fcv_clone_init(fcv_clone_t *clone, fcv_config_t *conf,
    fcv_control_t *control);

/* FCV_CONTROL_LATER: it is answered when the hook has run */
int fcv_clone_snapshot(fcv_clone_t *clone, fcf_err_t *err) fcf_must_check;
/* The same, or 0: it is awake already, since its function has no hooks.
 * request: vm/guest.h */
int fcv_clone_wake(fcv_clone_t *clone, const json_t *request, fcf_err_t *err)
    fcf_must_check;

void fcv_clone_want(const fcv_clone_t *clone, struct pollfd *fd);
/* as poll(2) wants it */
int fcv_clone_wait(const fcv_clone_t *clone);
/* after poll(2) */
void fcv_clone_ready(fcv_clone_t *clone, const struct pollfd *fd);

#endif /* _FCV_CLONE_H_INCLUDED_ */
