/* What the zone knows of pools, step by step: who asks for them, which failed,
 * and which of them take a cell. */

#include "t/unit/zone_member.h"


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
    is_int(fcz_bind(&c.m, &c.slot[0], 1, &(uint64_t) { 0 }, 1), FCZ_OK,
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

    is_int(fcz_bind(&m.m, &m.slot[0], 1, &(uint64_t) { 0 }, 1), FCZ_OK,
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
    members_join();

    test_asking();
    test_asked();
    test_pools();
    test_lookers();

    is_int(a.m.events | b.m.events | c.m.events, 0, "nothing odd happened");

    return tap_done();
}
