/* Slots, places and bells of the zone, step by step. */

#include "t/unit/zone_member.h"


static void
test_slots(void)
{
    fcz_slot_t  *slots[4];

    is_int(fcz_bind(&a.m, &a.slot[0], 2, &(uint64_t) { 0 }, 1), FCZ_OK,
           "a takes one of two slots");
    is_int(fcz_peek(&b.m, &b.slot[0], 2, fcz_ticket(zone), 1), FCZ_OK,
           "b sees the other");
    is_int(fcz_bind(&b.m, &b.slot[0], 2, &(uint64_t) { 0 }, 1), FCZ_OK,
           "b takes it");
    is_int(fcz_bind(&a.m, &a.slot[0], 2, &(uint64_t) { 0 }, 1), FCZ_FULL,
           "a finds none");
    is_int(fcz_bind(&c.m, &c.slot[0], 2, &(uint64_t) { 0 }, 1), FCZ_FULL,
           "nor does c");
    is_int(busy(&c), 2, "two are busy, as all see");

    is_int(fcz_room(&c.m, &c.pool, slots, 4), 0, "none has room again");
    fcz_release(&b.m, &b.slot[0]);
    ok(fcz_room(&c.m, &c.pool, slots, 4) == 1 && slots[0] == &c.slot[0],
       "given back by b, c finds it");
    is_int(fcz_bind(&c.m, &c.slot[0], 2, &(uint64_t) { 0 }, 1), FCZ_OK,
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
    uint64_t  first, second, third, none = 0;

    first = fcz_ticket(zone);
    second = fcz_ticket(zone);
    third = fcz_ticket(zone);

    is_int(fcz_bind(&a.m, &a.slot[0], 1, &first, 1), FCZ_OK, "a takes it");
    is_int(fcz_bind(&b.m, &b.slot[0], 1, &none, 1), FCZ_FULL, "b does not");
    ok(none > third, "one without a ticket got the next");
    member_wait(&c, third);
    member_wait(&b, second);

    ok(!rung(&b) && !rung(&c), "nobody is rung for nothing");
    fcz_release(&a.m, &a.slot[0]);
    ok(!rung(&c), "given back: who came later is not rung");

    is_int(fcz_bind(&a.m, &a.slot[0], 1, &(uint64_t) { 0 }, 1), FCZ_BEHIND,
           "a newcomer does not pass");
    is_int(fcz_bind(&c.m, &c.slot[0], 1, &third, 0), FCZ_BEHIND,
           "nor who waits less long");

    ok(heard(&b), "who has waited longest is rung");
    is_int(fcz_bind(&b.m, &b.slot[0], 1, &second, 0), FCZ_OK, "and takes it");
    fcz_wait_sub(&b.m, &b.pool, FCZ_NO_TICKET);

    fcz_release(&b.m, &b.slot[0]);
    ok(heard(&c), "then the next is");
    is_int(fcz_bind(&c.m, &c.slot[0], 1, &third, 0), FCZ_OK, "and takes it");
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

    is_int(fcz_bind(&a.m, &a.slot[1], 1, &first, 1), FCZ_OK, "a takes it");
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
    is_int(fcz_bind(&c.m, &c.slot[1], 1, &second, 0), FCZ_OK, "and takes it");
    fcz_wait_sub(&c.m, &c.pool, FCZ_NO_TICKET);
    fcz_release(&c.m, &c.slot[1]);

    fcz_beat(&b.m);

    while (fcz_bind(&a.m, &a.slot[1], 1, &(uint64_t) { 0 }, 1) == FCZ_BEHIND) {
        fcz_beat(&b.m);
        (void) poll(NULL, 0, 1);
    }

    ok(1, "b sleeps on: a newcomer takes it");
    fcz_release(&a.m, &a.slot[1]);
    start = fcz_now();

    while (fcz_now() - start <= FCZ_BEAT_MS) {
        (void) poll(NULL, 0, 10);
    }

    is_int(fcz_bind(&a.m, &a.slot[1], 1, &(uint64_t) { 0 }, 1), FCZ_OK,
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
test_leaving(void)
{
    is_int(fcz_bind(&b.m, &b.slot[2], 3, &(uint64_t) { 0 }, 1), FCZ_OK,
           "b holds one");
    is_int(fcz_bind(&b.m, &b.slot[3], 3, &(uint64_t) { 0 }, 1), FCZ_OK,
           "and another");
    member_wait(&b, fcz_ticket(zone));
    fcz_leave(&b.m);
    is_int(busy(&a), 0, "b leaves: it holds none");
    ok(!fcz_waited(&a.m, &a.pool), "nor waits");
    member_join(&b);
    is_int(fcz_bind(&b.m, &b.slot[2], 1, &(uint64_t) { 0 }, 1), FCZ_OK,
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
        got += fcz_bind(&m, &slots[i], 1, &(uint64_t) { 0 }, 1) == FCZ_OK;
    }

    is_int(got, 64, "64 are bound all the same");
    is_int(m.events, FCZ_E_FULL, "and that is told");
    is_int(m.untold, 0, "it is no reason to tell all of them anew");
    m.events = 0;
    is_int(fcz_bind(&m, &slots[63], 1, &(uint64_t) { 0 }, 1), FCZ_FULL,
           "their limit holds in this member");
    is_int(m.events, 0, "it is told once");

    fcz_stat(&m, &stat);
    is_int(stat.ledgers, 16, "a ledger entry for each that is counted");
    is_int(stat.members, 1, "one member");

    fcz_release(&m, &slots[0]);
    is_int(fcz_bind(&m, &slots[63], 2, &(uint64_t) { 0 }, 1), FCZ_OK,
           "one more");
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
        got += fcz_bind(&m, &slots[i], 1, &(uint64_t) { 0 }, 1) == FCZ_OK
               && slots[i].told == 1;
        fcz_release(&m, &slots[i]);
    }

    is_int(got, 64, "one after the other, all are counted in the zone");
    fcz_leave(&m);
}


int
main(void)
{
    members_join();

    test_slots();
    test_order();
    test_absent();
    test_limits();
    test_leaving();
    test_full();

    is_int(a.m.events | b.m.events | c.m.events, 0, "nothing odd happened");

    return tap_done();
}
