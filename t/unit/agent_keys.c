/* A VM's keys and their end, with an etcd that answers when it is told to: a
 * job that goes on elsewhere must find no slot of this VM's any more. */

#include <stdlib.h>
#include "agent/store/keys.h"
#include "t/unit/fake_loop.h"
#include "t/unit/tap.h"

/* how much later a lost put may be carried out, and more */
#define LATE_MS  2500

typedef enum { CALL_NONE, CALL_CLAIM, CALL_PUT, CALL_GOODBYE, CALL_DELETE,
               CALL_LIST } call_e;

/* the one call that is under way */
struct fcf_etcd_call_s {
    call_e       what;
    fcf_etcd_pt  done;
    void        *arg;
};

static struct fcf_etcd_call_s  call;
static unsigned                cancelled, owned, refused, put, gone;
static fcf_loop_t             *loop;


static fcf_etcd_call_t *
call_begin(call_e what, fcf_etcd_pt done, void *arg)
{
    ok(call.what == CALL_NONE, "one call at a time");
    call = (struct fcf_etcd_call_s) { what, done, arg };

    return &call;
}


fcf_etcd_call_t *
fcf_etcd_txn(fcf_etcd_t *etcd, const fcf_etcd_cmp_t *cmp, size_t ncmp,
    const fcf_etcd_op_t *then, size_t nthen, const fcf_etcd_op_t *other,
    size_t nother, fcf_etcd_pt done, void *arg)
{
    (void) etcd;
    (void) ncmp;
    (void) nthen;
    (void) other;
    (void) nother;

    return call_begin(then->op == FCF_OP_DELETE ? CALL_DELETE
                      : cmp->what == FCF_CMP_PRESENT ? CALL_GOODBYE
                      : cmp->what == FCF_CMP_VALUE_IS ? CALL_PUT
                                                      : CALL_CLAIM, done, arg);
}


fcf_etcd_call_t *
fcf_etcd_list(fcf_etcd_t *etcd, const char *prefix, fcf_etcd_pt done,
    void *arg)
{
    (void) etcd;
    (void) prefix;

    return call_begin(CALL_LIST, done, arg);
}


fcf_etcd_call_t *
fcf_etcd_lease_keys(fcf_etcd_t *etcd, int64_t lease, fcf_etcd_pt done,
    void *arg)
{
    (void) etcd;
    (void) lease;
    (void) done;
    (void) arg;

    return NULL;
}


void
fcf_etcd_cancel(fcf_etcd_call_t *c)
{
    cancelled++;
    c->what = CALL_NONE;
}


int64_t
fca_node_lease(const fca_node_t *node)
{
    (void) node;

    return 7;
}


void
fca_node_doubt(fca_node_t *node)
{
    (void) node;
}


static void
answer(int succeeded)
{
    fcf_etcd_reply_t         reply = { .succeeded = succeeded, .revision = 3 };
    struct fcf_etcd_call_s   c = call;

    call.what = CALL_NONE;
    c.done(c.arg, &reply, NULL);
}


static void
lose(void)
{
    fcf_err_t                err;
    struct fcf_etcd_call_s   c = call;

    fcf_err_set(&err, FCF_E_TIMEOUT, "no answer");
    call.what = CALL_NONE;
    c.done(c.arg, NULL, &err);
}


static void on_owned(void *arg) { (void) arg; owned++; }
static void on_put(void *arg) { (void) arg; put++; }
static void on_lost(void *arg) { (void) arg; }
static void on_gone(void *arg) { (void) arg; gone++; }

static void
on_refused(void *arg, fcf_failure_e why)
{
    (void) arg;
    (void) why;
    refused++;
}


static fca_keys_t *
keys_new(fca_keyring_t *ring)
{
    fcf_err_t            err;
    fca_keys_conf_t      conf = { "f", "r", "n-1", 1, 0, 5 };
    fca_keys_handler_t   handler = { on_owned, on_refused, on_put, on_lost,
                                     NULL };

    cancelled = owned = refused = put = gone = 0;

    return fca_keys_new(ring, &conf, &handler, &err);
}


/* as by a VMM that fails while its slot is awaited */
static void
claim_under_way(fca_keyring_t *ring)
{
    int          won;
    fca_keys_t  *keys;

    for (won = 0; won < 2; won++) {
        keys = keys_new(ring);
        fca_keys_claim(keys);
        is_int(call.what, CALL_CLAIM, "a claim is under way");

        fca_keys_end(keys, NULL, on_gone, NULL);
        fake_loop_advance(loop, 0);
        is_int(call.what, CALL_CLAIM, "its end waits for the answer");
        is_int(gone, 0, "and so does who is told");
        ok(fca_keyring_pending(ring), "and the agent's end");

        answer(won);
        is_int(call.what, CALL_DELETE, "then it is deleted");
        is_int(owned + refused, 0, "and nobody hears of the claim");
        is_int(gone, 0, "nor that it is gone");

        answer(1);
        is_int(gone, 1, "once it is deleted, all is over");
        ok(!fca_keyring_pending(ring), "and nothing is left");
        is_int(cancelled, 0, "nothing was cut off");
    }
}


static void
claim_lost(fca_keyring_t *ring)
{
    fca_keys_t  *keys;

    keys = keys_new(ring);
    fca_keys_claim(keys);
    fca_keys_end(keys, NULL, on_gone, NULL);

    lose();
    is_int(call.what, CALL_DELETE, "a claim without an answer: deleted");
    answer(1);
    is_int(gone, 0, "but it may be carried out yet");

    fake_loop_advance(loop, LATE_MS);
    is_int(call.what, CALL_DELETE, "so it is deleted again");
    is_int(gone, 0, "before anybody hears of it");
    answer(1);
    is_int(gone, 1, "then it is gone");
    ok(!fca_keyring_pending(ring), "and nothing is left");
}


/* the slots are read, since the first claim met some */
static void
list_under_way(fca_keyring_t *ring)
{
    fcf_etcd_reply_t   reply = { .nkvs = 0 };
    fca_keys_t        *keys;

    keys = keys_new(ring);
    fca_keys_claim(keys);
    lose();
    fake_loop_advance(loop, LATE_MS);
    is_int(call.what, CALL_LIST, "what became of a lost claim is read");

    fca_keys_end(keys, NULL, on_gone, NULL);
    call.what = CALL_NONE;
    call.done(call.arg, &reply, NULL);
    is_int(call.what, CALL_DELETE, "and at the end not looked at");
    answer(1);
    is_int(gone, 0, "the claim may be carried out yet");
    fake_loop_advance(loop, LATE_MS);
    answer(1);
    is_int(gone, 1, "until it is deleted twice");
}


static void
put_under_way(fca_keyring_t *ring)
{
    fca_keys_t  *keys;

    keys = keys_new(ring);
    fca_keys_claim(keys);
    answer(1);
    is_int(owned, 1, "the slot is ours");

    fca_keys_put(keys, strdup("{}"));
    is_int(call.what, CALL_PUT, "the instance is put");
    fca_keys_end(keys, strdup("{}"), on_gone, NULL);
    is_int(call.what, CALL_PUT, "to which the end comes");
    answer(1);
    is_int(put, 0, "and nobody hears of the put");
    is_int(call.what, CALL_GOODBYE, "a goodbye");
    answer(1);
    is_int(call.what, CALL_DELETE, "and it is deleted");
    answer(1);
    is_int(gone, 1, "once");
    is_int(cancelled, 0, "nothing was cut off");
}


static void
nothing_tried(fca_keyring_t *ring)
{
    fca_keys_end(keys_new(ring), NULL, on_gone, NULL);
    is_int(gone, 0, "no slot was tried: told, but not at once");
    fake_loop_advance(loop, 0);
    is_int(gone, 1, "but from the loop");
    is_int(call.what, CALL_NONE, "and etcd is not asked");
}


int
main(void)
{
    fcf_err_t            err;
    fca_keyring_t       *ring;
    fca_keyring_conf_t   conf = { NULL, NULL, NULL, "" };

    loop = conf.loop = fake_loop_new();
    ring = fca_keyring_new(&conf, &err);

    claim_under_way(ring);
    claim_lost(ring);
    list_under_way(ring);
    put_under_way(ring);
    nothing_tried(ring);

    fca_keyring_free(ring);
    is_int(fake_loop_free(loop), 0, "no timer is left");

    return tap_done();
}
