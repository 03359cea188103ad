#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "contract/fcf_mac.h"
#include "vm/init/clone.h"
#include "vm/init/console.h"
#include "vm/init/etc.h"
#include "vm/init/life.h"
#include "vm/init/net.h"
#include "vm/init/ops.h"

/* an answer that nobody acknowledges does not keep it */
#define HEARD_MS       1000
#define HEARD_POLL_MS  1

/* Until then the kernel may have work of its boot left: Linux, where nobody
 * told it the rate of its TSC, measures that for a second, and stops the
 * machine to go by it. */
#define YOUNG_MS       3000

typedef void (*action_pt)(fcv_clone_t *clone, const fcf_err_t *err);


void
fcv_clone_init(fcv_clone_t *clone, fcv_config_t *conf,
    fcv_control_t *control)
{
    memset(clone, 0, sizeof(*clone));
    clone->conf = conf;
    clone->control = control;
    fcv_hook_init(&clone->hook);
}


static void
begin_ask(fcv_clone_t *clone, const fcf_err_t *err)
{
    (void) err;
    clone->state = FCV_CLONE_ASKED;
}


static void
begin_wake(fcv_clone_t *clone, const fcf_err_t *err)
{
    (void) err;
    clone->state = FCV_CLONE_WAKING;
}


static void
asked(fcv_clone_t *clone, const fcf_err_t *err)
{
    json_t  *answer;

    (void) err;
    clone->state = FCV_CLONE_IDLE;
    answer = json_pack("{s:b, s:b}", "ok", 1, "reseeds", clone->reseeds);

    if (fcv_now_ms() < YOUNG_MS) {
        (void) json_object_set_new(answer, "young", json_true());
    }

    fcv_control_done(clone->control, answer, NULL);
}


/* answered by the caller */

static void
awake_at_once(fcv_clone_t *clone, const fcf_err_t *err)
{
    (void) err;
    clone->state = FCV_CLONE_LEAVING;
    clone->deadline_ms = fcv_now_ms() + HEARD_MS;
}


static void
awake(fcv_clone_t *clone, const fcf_err_t *err)
{
    awake_at_once(clone, err);
    fcv_control_done(clone->control,
                     json_pack("{s:b, s:b}", "ok", 1, "reseeds",
                               clone->reseeds), NULL);
}


static void
failed(fcv_clone_t *clone, const fcf_err_t *err)
{
    clone->state = FCV_CLONE_IDLE;
    fcv_control_done(clone->control, NULL, err);
}


/* Whoever is connected by the old address is not any more. */

static int
move(fcv_clone_t *clone, fcf_err_t *err)
{
    fcv_config_t  *conf = clone->conf;

    conf->address = clone->address;
    memcpy(conf->mac, clone->mac, sizeof(conf->mac));
    conf->has_mac = 1;

    if (clone->hostname[0]) {
        conf->hostname = clone->hostname;
    }

    /* whoever reaches the address finds the port */

    if (fcv_control_move(clone->control, conf->address, err) < 0
        || fcv_net_move(conf, err) < 0)
    {
        return -1;
    }

    fcv_etc_rename(conf);

    return 0;
}


/* It is not reached at its new address if that fails, and the host, which
 * tries, ends it. */

static void
leave(fcv_clone_t *clone, const fcf_err_t *err)
{
    fcf_err_t  why;

    (void) err;
    clone->state = FCV_CLONE_IDLE;

    if (move(clone, &why) < 0) {
        fcv_say("as a clone: %s", why.msg);
    }
}


static const action_pt  actions[FCV_CLONE_NSTATES][FCV_CLONE_NEVENTS] = {
    [FCV_CLONE_IDLE] = {
        [FCV_CLONE_ON_ASK] = begin_ask,
        [FCV_CLONE_ON_WAKE] = begin_wake,
        [FCV_CLONE_ON_ANSWERED] = awake_at_once,
    },
    [FCV_CLONE_ASKED] = {
        [FCV_CLONE_ON_ANSWERED] = asked,
        [FCV_CLONE_ON_FAILED] = failed,
    },
    [FCV_CLONE_WAKING] = {
        [FCV_CLONE_ON_ANSWERED] = awake,
        [FCV_CLONE_ON_FAILED] = failed,
    },
    [FCV_CLONE_LEAVING] = {
        [FCV_CLONE_ON_HEARD] = leave,
    },
};


static void
event(fcv_clone_t *clone, fcv_clone_event_e what, const fcf_err_t *err)
{
    action_pt  action;

    action = actions[clone->state][what];

    if (action) {
        action(clone, err);
    }
}


static int
start_hook(fcv_clone_t *clone, const char *path, fcv_clone_event_e what,
    fcf_err_t *err)
{
    if (fcv_hook_start(&clone->hook, path, clone->conf->port, fcv_now_ms(),
                       err) < 0)
    {
        return -1;
    }

    event(clone, what, NULL);

    return FCV_CONTROL_LATER;
}


static int
is_idle(const fcv_clone_t *clone, fcf_err_t *err)
{
    return clone->state == FCV_CLONE_IDLE
           ? 0 : fcf_err_set(err, FCF_E_REFUSED, "another is under way");
}


int
fcv_clone_snapshot(fcv_clone_t *clone, fcf_err_t *err)
{
    if (is_idle(clone, err) < 0) {
        return -1;
    }

    return start_hook(clone, FCV_HOOK_SNAPSHOT, FCV_CLONE_ON_ASK, err);
}


static int
get_place(fcv_clone_t *clone, const json_t *request, fcf_err_t *err)
{
    const char  *address, *mac, *hostname;

    address = json_string_value(json_object_get(request, "address"));
    mac = json_string_value(json_object_get(request, "mac"));
    hostname = json_string_value(json_object_get(request, "hostname"));

    if (address == NULL || inet_pton(AF_INET, address, &clone->address) != 1) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "address is not an IPv4 address");
    }

    if (mac == NULL || fcf_mac_parse(mac, clone->mac) < 0
        || fcf_mac_is_multicast(clone->mac))
    {
        return fcf_err_set(err, FCF_E_INVALID,
                           "mac is not a unicast MAC address");
    }

    if (hostname && (hostname[0] == '\0'
                     || strlen(hostname) > FCV_HOSTNAME_MAX))
    {
        return fcf_err_set(err, FCF_E_INVALID,
                           "hostname is not of 1-%d bytes", FCV_HOSTNAME_MAX);
    }

    snprintf(clone->hostname, sizeof(clone->hostname), "%s",
             hostname ? hostname : "");

    return 0;
}


int
fcv_clone_wake(fcv_clone_t *clone, const json_t *request, fcf_err_t *err)
{
    if (is_idle(clone, err) < 0 || get_place(clone, request, err) < 0
        || fcv_op_time(request, err) < 0 || fcv_op_seed(request, err) < 0)
    {
        return -1;
    }

    /* the hook would be the fifteenth part of what it does until it answers */

    if (clone->hook.no_post) {
        event(clone, FCV_CLONE_ON_ANSWERED, NULL);
        return 0;
    }

    return start_hook(clone, FCV_HOOK_RESTORE, FCV_CLONE_ON_WAKE, err);
}


void
fcv_clone_want(const fcv_clone_t *clone, struct pollfd *fd)
{
    fcv_hook_want(&clone->hook, fd);
}


int
fcv_clone_wait(const fcv_clone_t *clone)
{
    int64_t  left;

    if (clone->state == FCV_CLONE_LEAVING) {
        return HEARD_POLL_MS;
    }

    if (clone->hook.fd < 0) {
        return -1;
    }

    left = clone->hook.deadline_ms - fcv_now_ms();

    return left < 0 ? 0 : (int) left;
}


void
fcv_clone_ready(fcv_clone_t *clone, const struct pollfd *fd)
{
    int        rc;
    fcf_err_t  err;

    if (clone->hook.fd >= 0) {
        rc = fcv_hook_ready(&clone->hook, fd, fcv_now_ms(), &clone->reseeds,
                            &err);

        if (rc != 0) {
            event(clone, rc > 0 ? FCV_CLONE_ON_ANSWERED : FCV_CLONE_ON_FAILED,
                  &err);
        }
    }

    if (clone->state == FCV_CLONE_LEAVING
        && (!fcv_control_behind(clone->control)
            || fcv_now_ms() >= clone->deadline_ms))
    {
        event(clone, FCV_CLONE_ON_HEARD, NULL);
    }
}
