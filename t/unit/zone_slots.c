/*
 * Slots, places and bells of the zone, step by step: several members in one
 * process, which is all the same to the zone.
 */

#include "ngx_fcfaas_module/zone/fcz.h"
#include "t/unit/tap.h"
#include "t/unit/zone_new.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>


#define MEMBERS  3


typedef struct {
    fcz_member_t  m;
    fcz_pool_t    pool;
    fcz_slot_t    slot[4];
} member_t;

static fcz_t    *zone;
static member_t  a, b, c;


static void
member_join(member_t *m)
{
    int        i;
    char       name[16];
    fcz_key_t  key;

    if (fcz_join(&m->m, zone) == -1) {
        exit(1);
    }

    fcz_key(zone, &key, "f", "");
    fcz_pool_init(&m->pool, &key);

    for (i = 0; i < 4; i++) {
        (void) snprintf(name, sizeof(name), "n1-%d", i);
        fcz_key(zone, &key, "f", name);
        fcz_slot_init(&m->slot[i], &m->pool, &key);
    }
}


static void
member_wait(member_t *m, uint64_t ticket)
{
    is_int(fcz_wait_add(&m->m, &m->pool, 0, 0), FCZ_OK, "it waits");
    fcz_wait_head(&m->m, &m->pool, ticket);
}


static unsigned
rung(member_t *m)
{
    uint64_t       n;
    struct pollfd  p = { .fd = fcz_bell(&m->m), .events = POLLIN };

    return poll(&p, 1, 0) == 1 && read(p.fd, &n, sizeof(n)) == sizeof(n);
}


static unsigned
heard(member_t *m)
{
    fcz_pool_t  *pools[4];

    return rung(m) && fcz_heard(&m->m, pools, 4) == 1
           && pools[0] == &m->pool;
}


static uint32_t
busy(member_t *m)
{
    fcz_view_t  view;

    fcz_view(&m->m, &m->pool, &view);

    return view.busy;
}


static void
test_slots(void)
{
    fcz_slot_t  *slots[4];

    is_int(fcz_bind(&a.m, &a.slot[0], 2, fcz_ticket(zone), 1), FCZ_OK,
           "a takes one of two slots");
    is_int(fcz_peek(&b.m, &b.slot[0], 2, fcz_ticket(zone), 1), FCZ_OK,
           "b sees the other");
    is_int(fcz_bind(&b.m, &b.slot[0], 2, fcz_ticket(zone), 1), FCZ_OK,
           "b takes it");
    is_int(fcz_bind(&a.m, &a.slot[0], 2, fcz_ticket(zone), 1), FCZ_FULL,
           "a finds none");
    is_int(fcz_bind(&c.m, &c.slot[0], 2, fcz_ticket(zone), 1), FCZ_FULL,
           "nor does c");
    is_int(busy(&c), 2, "two are busy, as all see");

    is_int(fcz_room(&c.m, &c.pool, slots, 4), 0, "none has room again");
    fcz_release(&b.m, &b.slot[0]);
    ok(fcz_room(&c.m, &c.pool, slots, 4) == 1 && slots[0] == &c.slot[0],
       "given back by b, c finds it");
    is_int(fcz_bind(&c.m, &c.slot[0], 2, fcz_ticket(zone), 1), FCZ_OK,
           "and takes it");
    is_int(fcz_room(&a.m, &a.pool, slots, 4), 0, "then there is none");

    fcz_release(&a.m, &a.slot[0]);
    fcz_release(&c.m, &c.slot[0]);
    is_int(busy(&a), 0, "all is given back");
}


/* who has waited longest is rung, and comes first */
static void
test_order(void)
{
    uint64_t  first, second, third;

    first = fcz_ticket(zone);
    second = fcz_ticket(zone);
    third = fcz_ticket(zone);

    is_int(fcz_bind(&a.m, &a.slot[0], 1, first, 1), FCZ_OK, "a takes it");
    member_wait(&c, third);
    member_wait(&b, second);

    ok(!rung(&b) && !rung(&c), "nobody is rung for nothing");
    fcz_release(&a.m, &a.slot[0]);
    ok(!rung(&c), "given back: who came later is not rung");

    is_int(fcz_bind(&a.m, &a.slot[0], 1, fcz_ticket(zone), 1), FCZ_BEHIND,
           "a newcomer does not pass");
    is_int(fcz_bind(&c.m, &c.slot[0], 1, third, 0), FCZ_BEHIND,
           "nor who waits less long");

    ok(heard(&b), "who has waited longest is rung");
    is_int(fcz_bind(&b.m, &b.slot[0], 1, second, 0), FCZ_OK, "and takes it");
    fcz_wait_sub(&b.m, &b.pool, FCZ_NO_TICKET);

    fcz_release(&b.m, &b.slot[0]);
    ok(heard(&c), "then the next is");
    is_int(fcz_bind(&c.m, &c.slot[0], 1, third, 0), FCZ_OK, "and takes it");
    fcz_wait_sub(&c.m, &c.pool, FCZ_NO_TICKET);
    fcz_release(&c.m, &c.slot[0]);
}


/* the first does not come: the next is rung, then anybody may take it */
static void
test_absent(void)
{
    uint64_t  first, second, start;
    unsigned  n;

    first = fcz_ticket(zone);
    second = fcz_ticket(zone);

    is_int(fcz_bind(&a.m, &a.slot[1], 1, first, 1), FCZ_OK, "a takes it");
    member_wait(&b, first);
    member_wait(&c, second);
    fcz_beat(&b.m);
    fcz_release(&a.m, &a.slot[1]);
    ok(heard(&b), "b is rung, and sleeps on");

    start = fcz_now();

    for (n = 0; !rung(&c); n++) {
        fcz_beat(&b.m);
        fcz_offers(&a.m);
        (void) poll(NULL, 0, 1);
    }

    ok(fcz_now() - start >= FCZ_OFFER_MS - 1, "not at once, c is rung");
    is_int(fcz_bind(&c.m, &c.slot[1], 1, second, 0), FCZ_OK, "and takes it");
    fcz_wait_sub(&c.m, &c.pool, FCZ_NO_TICKET);
    fcz_release(&c.m, &c.slot[1]);

    fcz_beat(&b.m);

    while (fcz_bind(&a.m, &a.slot[1], 1, fcz_ticket(zone), 1) == FCZ_BEHIND) {
        fcz_beat(&b.m);
        (void) poll(NULL, 0, 1);
    }

    ok(1, "b sleeps on: a newcomer takes it");
    fcz_release(&a.m, &a.slot[1]);
    start = fcz_now();

    while (fcz_now() - start <= FCZ_BEAT_MS) {
        (void) poll(NULL, 0, 10);
    }

    is_int(fcz_bind(&a.m, &a.slot[1], 1, fcz_ticket(zone), 1), FCZ_OK,
           "without a sign of life b does not count");
    fcz_release(&a.m, &a.slot[1]);
    fcz_wait_sub(&b.m, &b.pool, FCZ_NO_TICKET);
}


static void
test_limits(void)
{
    fcz_view_t  view;

    is_int(fcz_wait_add(&a.m, &a.pool, 2, 3), FCZ_OK, "one waits in a");
    is_int(fcz_wait_add(&b.m, &b.pool, 2, 3), FCZ_OK, "one in b");
    is_int(fcz_wait_add(&c.m, &c.pool, 2, 3), FCZ_FULL, "no third");
    is_int(fcz_wait_add(&c.m, &c.pool, 9, 2), FCZ_FULL, "nor in all");
    ok(fcz_waited(&c.m, &c.pool), "c knows that somebody waits");
    fcz_view(&c.m, &c.pool, &view);
    is_int(view.waiting, 2, "two");
    fcz_wait_sub(&a.m, &a.pool, FCZ_NO_TICKET);
    is_int(fcz_wait_add(&c.m, &c.pool, 2, 3), FCZ_OK, "one left: one comes");
    fcz_wait_sub(&b.m, &b.pool, FCZ_NO_TICKET);
    fcz_wait_sub(&c.m, &c.pool, FCZ_NO_TICKET);
    ok(!fcz_waited(&c.m, &c.pool), "nobody waits");
}


static void
test_asking(void)
{
    int         i;
    uint64_t    until;
    fcz_view_t  view;

    fcz_want(&a.m, &a.pool, 3, 1);
    fcz_want(&b.m, &b.pool, 4, 1);
    fcz_view(&c.m, &c.pool, &view);
    is_int(view.wanted, 7, "three of a and four of b want it");
    ok(!fcz_waited(&c.m, &c.pool), "which is not to wait there");
    is_int(fcz_bind(&c.m, &c.slot[0], 1, fcz_ticket(zone), 1), FCZ_OK,
           "nor in anybody's way");
    fcz_release(&c.m, &c.slot[0]);
    fcz_want(&a.m, &a.pool, -3, 1);
    fcz_want(&b.m, &b.pool, -4, 1);
    fcz_view(&c.m, &c.pool, &view);
    is_int(view.wanted, 0, "none any more");

    is_int(fcz_failed(&a.m, &a.pool, 11, &until), 1, "a failure");
    is_int(fcz_failed(&b.m, &b.pool, 11, &until), 1, "seen by b too: one");
    is_int(fcz_failed(&b.m, &b.pool, 12, &until), 2, "another");
    is_int(until, 0, "two do not space starts");
    is_int(fcz_failed(&c.m, &c.pool, 13, &until), 3, "a third");
    ok(until > fcz_now() && until <= fcz_now() + 1000, "that is spaced: 1 s");

    for (i = 14; i < 20; i++) {
        (void) fcz_failed(&c.m, &c.pool, (uint64_t) i, &until);
    }

    ok(until > fcz_now() + 29000 && until <= fcz_now() + 30000,
       "the ninth: 30 s");
    fcz_succeeded(&a.m, &a.pool);
    is_int(fcz_failed(&a.m, &a.pool, 99, &until), 1, "the row has ended");
    is_int(until, 0, "and with it the spacing");
    fcz_succeeded(&a.m, &a.pool);
}


/* one asks for all; who dies at it keeps nobody from it */
static void
test_asked(void)
{
    uint32_t  ms;
    uint64_t  from;

    ms = 0;
    is_int(fcz_ask(&a.m, &a.pool, 0, 2, &ms), 1, "a is to ask for two");
    is_int(fcz_ask(&b.m, &b.pool, 0, 2, &ms), 0, "b is not, meanwhile");
    ok(ms > 0 && ms <= FCZ_ASK_MS, "and looks again when a must have");

    fcz_asked(&a.m, &a.pool, FCZ_ASK_PUSHED, 2);
    is_int(fcz_ask(&b.m, &b.pool, 0, 1, &ms), 0, "one is asked for");
    ok(ms > FCZ_ASK_MS && ms <= FCZ_ASKED_MS, "for a while");
    is_int(fcz_ask(&b.m, &b.pool, 1, 2, &ms), 0, "beside one that lives");
    is_int(fcz_ask(&b.m, &b.pool, 0, 2, &ms), 1, "b asks for the second");
    fcz_asked(&b.m, &b.pool, FCZ_ASK_DENIED, 2);
    is_int(fcz_ask(&c.m, &c.pool, 0, 2, &ms), 0, "which is not needed");
    is_int(fcz_ask(&c.m, &c.pool, 0, 3, &ms), 1, "a third may be");
    fcz_asked(&c.m, &c.pool, FCZ_ASK_FAILED, 3);
    is_int(fcz_ask(&a.m, &a.pool, 0, 3, &ms), 1, "not known: another asks");
    fcz_asked(&a.m, &a.pool, FCZ_ASK_DENIED, 3);

    fcz_ask_forget(&b.m, &b.pool);
    is_int(fcz_ask(&b.m, &b.pool, 0, 1, &ms), 1, "forgotten: asked again");

    /* b is never heard of again */
    from = fcz_now();

    while (!fcz_ask(&c.m, &c.pool, 0, 1, &ms) && fcz_now() < from + 5000) {
        (void) poll(NULL, 0, (int) ms);
    }

    ok(fcz_now() < from + 5000, "and by another when that one is dead");
    fcz_asked(&c.m, &c.pool, FCZ_ASK_DENIED, 1);
    is_int(fcz_ask(&b.m, &b.pool, 0, 1, &ms), 0, "who has an answer");
    fcz_ask_forget(&c.m, &c.pool);

    /* nobody starts what has just failed three times, whoever comes anew */
    (void) fcz_failed(&a.m, &a.pool, 21, &from);
    (void) fcz_failed(&a.m, &a.pool, 22, &from);
    (void) fcz_failed(&a.m, &a.pool, 23, &from);
    is_int(fcz_ask(&b.m, &b.pool, 0, 1, &ms), 0, "failed three times: later");
    ok(ms > FCZ_ASK_MS && ms <= 1000, "when the next start may be");
    is_int(fcz_ask(&b.m, &b.pool, 1, 2, &ms), 0, "also beside one");
    fcz_succeeded(&a.m, &a.pool);
    is_int(fcz_ask(&b.m, &b.pool, 0, 1, &ms), 1, "after a success at once");
    fcz_asked(&b.m, &b.pool, FCZ_ASK_FAILED, 1);
}


static void
test_leaving(void)
{
    is_int(fcz_bind(&b.m, &b.slot[2], 3, fcz_ticket(zone), 1), FCZ_OK,
           "b holds one");
    is_int(fcz_bind(&b.m, &b.slot[3], 3, fcz_ticket(zone), 1), FCZ_OK,
           "and another");
    member_wait(&b, fcz_ticket(zone));
    fcz_leave(&b.m);
    is_int(busy(&a), 0, "b leaves: it holds none");
    ok(!fcz_waited(&a.m, &a.pool), "nor waits");
    member_join(&b);
    is_int(fcz_bind(&b.m, &b.slot[2], 1, fcz_ticket(zone), 1), FCZ_OK,
           "it comes again");
    fcz_release(&b.m, &b.slot[2]);
}


/* more instances at once than the zone has room for: counted alone, told once */
static void
test_full(void)
{
    int           i, got;
    char          name[16];
    fcz_t        *z;
    fcz_key_t     key;
    fcz_stat_t    stat;
    fcz_pool_t    pool;
    fcz_slot_t    slots[64];
    fcz_member_t  m;

    z = fct_zone_new(16);
    is_int(fcz_join(&m, z), 0, "a zone for 16");
    fcz_key(z, &key, "g", "");
    fcz_pool_init(&pool, &key);

    for (i = 0, got = 0; i < 64; i++) {
        (void) snprintf(name, sizeof(name), "n1-%d", i);
        fcz_key(z, &key, "g", name);
        fcz_slot_init(&slots[i], &pool, &key);
        got += fcz_bind(&m, &slots[i], 1, fcz_ticket(z), 1) == FCZ_OK;
    }

    is_int(got, 64, "64 are bound all the same");
    is_int(m.events, FCZ_E_FULL, "and that is told");
    is_int(m.untold, 0, "it is no reason to tell all of them anew");
    m.events = 0;
    is_int(fcz_bind(&m, &slots[63], 1, fcz_ticket(z), 1), FCZ_FULL,
           "their limit holds in this member");
    is_int(m.events, 0, "it is told once");

    fcz_stat(&m, &stat);
    is_int(stat.ledgers, 16, "a ledger entry for each that is counted");
    is_int(stat.members, 1, "one member");

    fcz_release(&m, &slots[0]);
    is_int(fcz_bind(&m, &slots[63], 2, fcz_ticket(z), 1), FCZ_OK, "one more");
    is_int(slots[63].told, 2, "once there is room both are counted");
    fcz_release(&m, &slots[63]);

    for (i = 1; i < 64; i++) {
        fcz_release(&m, &slots[i]);
    }

    fcz_stat(&m, &stat);
    is_int(stat.slots, 16, "idle ones stay known");
    is_int(stat.ledgers, 0, "but not as held");
    is_int((int) fcz_silent(&m, FCZ_NONE), 0, "no member: not silent");

    for (i = 0, got = 0; i < 64; i++) {
        got += fcz_bind(&m, &slots[i], 1, fcz_ticket(z), 1) == FCZ_OK
               && slots[i].told == 1;
        fcz_release(&m, &slots[i]);
    }

    is_int(got, 64, "one after the other, all are counted in the zone");
    fcz_leave(&m);
}


/* nobody needs one that has neither an instance nor somebody who waits */
static void
test_pools(void)
{
    fcz_t       *shared = zone;
    member_t     m;
    fcz_stat_t   stat;

    zone = fct_zone_new(16);
    member_join(&m);
    member_wait(&m, 1);
    fcz_stat(&m.m, &stat);
    is_int(stat.pools, 1, "a pool that is waited for is used");

    fcz_wait_sub(&m.m, &m.pool, 0);
    fcz_stat(&m.m, &stat);
    is_int(stat.pools, 0, "not once nobody waits");

    is_int(fcz_bind(&m.m, &m.slot[0], 1, fcz_ticket(zone), 1), FCZ_OK,
           "one is bound");
    fcz_release(&m.m, &m.slot[0]);
    fcz_stat(&m.m, &stat);
    is_int(stat.pools, 1, "it is used by an instance that is known");

    fcz_leave(&m.m);
    zone = shared;
}


/* to look at a pool takes no cell, and so none from another: what is known of
 * that one stays */
static void
test_lookers(void)
{
    int           i, full;
    char          name[16];
    fcz_t        *z;
    fcz_key_t     key;
    uint64_t      until;
    fcz_view_t    view;
    fcz_stat_t    stat;
    fcz_pool_t    failing, waited, others[64];
    fcz_slot_t   *room[4];
    fcz_member_t  m;

    z = fct_zone_new(16);
    is_int(fcz_join(&m, z), 0, "a zone for few pools");
    fcz_stat(&m, &stat);
    ok(stat.pools_max < 64, "less than there are functions");

    fcz_key(z, &key, "failing", "");
    fcz_pool_init(&failing, &key);

    for (i = 0; i < 3; i++) {
        (void) fcz_failed(&m, &failing, 31 + (uint64_t) i, &until);
    }

    fcz_key(z, &key, "waited", "");
    fcz_pool_init(&waited, &key);
    is_int(fcz_wait_add(&m, &waited, 0, 1), FCZ_OK, "one waits elsewhere");

    for (i = 0, full = 0; i < 64; i++) {
        (void) snprintf(name, sizeof(name), "f%d", i);
        fcz_key(z, &key, name, "");
        fcz_pool_init(&others[i], &key);

        fcz_view(&m, &others[i], &view);
        fcz_succeeded(&m, &others[i]);
        (void) fcz_room(&m, &others[i], room, 4);
        full += fcz_wait_add(&m, &others[i], 0, 1) == FCZ_FULL;
    }

    is_int(full, 64, "one waits, no more may");

    fcz_view(&m, &failing, &view);
    is_int(view.failed, 3, "64 others were looked at: its failures count");

    fcz_wait_sub(&m, &waited, FCZ_NO_TICKET);
    fcz_leave(&m);
}


int
main(void)
{
    zone = fct_zone_new(64);
    member_join(&a);
    member_join(&b);
    member_join(&c);

    test_slots();
    test_order();
    test_absent();
    test_limits();
    test_asking();
    test_asked();
    test_leaving();
    test_full();
    test_pools();
    test_lookers();

    is_int(a.m.events | b.m.events | c.m.events, 0, "nothing odd happened");

    return tap_done();
}
