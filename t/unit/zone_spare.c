/* Places that a member keeps for its next request, and gives back. */

#include "ngx_fcfaas_module/zone/fcz_mem.h"
#include "t/unit/zone_member.h"


static fcz_rc_e
bind(member_t *m, int i, uint32_t limit)
{
    return fcz_bind(&m->m, &m->slot[i], limit, &(uint64_t) { 0 }, 1);
}


static void
bind_all(member_t *m, int i, uint32_t limit, int n)
{
    int  got;

    for (got = 0; got < n && bind(m, i, limit) == FCZ_OK; got++) { /* void */ }

    is_int(got, n, "%d of %u are taken", n, limit);
}


static void
release_all(member_t *m, int i)
{
    while (m->slot[i].held) {
        fcz_release(&m->m, &m->slot[i]);
    }
}


/* the mutex is another's meanwhile: whoever wants it waits, and says so */
static void
test_alone(void)
{
    uint64_t  ticket, next;

    bind_all(&a, 0, 16, 3);
    next = fcz_ticket(zone);

    is_int(fcz_lock(&b.m), 1, "b has the mutex");
    fcz_release(&a.m, &a.slot[0]);
    fcz_release(&a.m, &a.slot[0]);
    is_int(bind(&a, 0, 16), FCZ_OK, "a gives back and takes again");
    ticket = 0;
    is_int(fcz_bind(&a.m, &a.slot[0], 16, &ticket, 1), FCZ_OK, "all it had");
    is_int(ticket, (long) next + 1, "with a ticket");
    is_int(a.m.events, 0, "without the mutex");
    fcz_unlock(&b.m);

    is_int(bind(&a, 0, 16), FCZ_OK, "one more is taken with it");
    is_int(busy(&b), 4, "and all are counted");

    release_all(&a, 0);
    is_int(busy(&b), 0, "the last one gives all back");
}


static void
test_beat(void)
{
    bind_all(&a, 0, 16, 4);
    fcz_release(&a.m, &a.slot[0]);
    is_int(busy(&b), 4, "what is given back is kept");
    fcz_beat(&a.m);
    is_int(busy(&b), 3, "until the beat");

    bind_all(&b, 0, 16, 2);
    fcz_release(&b.m, &b.slot[0]);
    is_int(busy(&a), 4, "not where it is more than a quarter full");
    release_all(&b, 0);

    fcz_release(&a.m, &a.slot[0]);
    release_all(&a, 0);
    is_int(busy(&a), 0, "nothing is left");

    bind_all(&a, 1, 0, 100);
    fcz_release(&a.m, &a.slot[1]);
    is_int(busy(&b), 100, "without a limit it always is");
    bind_all(&b, 1, 0, 100);
    ok(!rung(&a), "and in nobody's way");
    release_all(&a, 1);
    release_all(&b, 1);
    is_int(busy(&a), 0, "nothing is left of that");
}


/* one that finds no room gets it, though a has no reason to come */
static void
test_recall(void)
{
    uint64_t     ticket;
    fcz_pool_t  *pools[4];

    bind_all(&a, 0, 8, 2);
    fcz_release(&a.m, &a.slot[0]);
    bind_all(&b, 0, 8, 6);
    is_int(bind(&b, 0, 8), FCZ_FULL, "one of eight is free, and b finds none");
    ok(rung(&a), "a is rung for it");
    ok(!rung(&b) && !rung(&c), "nobody else is");
    is_int(fcz_heard(&a.m, pools, 4), 0, "it hears");
    is_int(bind(&b, 0, 8), FCZ_OK, "b gets it");
    is_int(bind(&b, 0, 8), FCZ_FULL, "and no other");
    ok(!rung(&a), "for which nobody is rung");

    ticket = fcz_ticket(zone);
    release_all(&b, 0);
    is_int(bind(&a, 0, 8), FCZ_OK, "a has two again");
    fcz_release(&a.m, &a.slot[0]);
    bind_all(&b, 0, 8, 6);
    is_int(fcz_bind(&b.m, &b.slot[0], 8, &ticket, 1), FCZ_FULL, "b has not");
    member_wait(&b, ticket);
    ok(rung(&a), "it waits, and a is rung");
    is_int(fcz_heard(&a.m, pools, 4), 0, "a hears");
    ok(heard(&b), "so b is rung");
    ok(!LIST_EMPTY(&a.m.offers), "which a keeps an eye on");
    is_int(fcz_bind(&b.m, &b.slot[0], 8, &ticket, 0), FCZ_OK, "b gets it");
    fcz_wait_sub(&b.m, &b.pool, FCZ_NO_TICKET);
    fcz_offers(&a.m);
    release_all(&a, 0);
    release_all(&b, 0);
}


/* what is given back where there is little room is free for all at once */
static void
test_full(void)
{
    bind_all(&a, 0, 8, 3);
    fcz_release(&a.m, &a.slot[0]);
    is_int(busy(&c), 2, "three of eight: nothing is kept");
    fcz_release(&a.m, &a.slot[0]);
    is_int(busy(&c), 2, "two: it is");
    bind_all(&b, 0, 8, 6);
    fcz_release(&a.m, &a.slot[0]);
    is_int(busy(&c), 6, "full: nothing is");
    fcz_release(&b.m, &b.slot[0]);
    is_int(busy(&c), 5, "nor by another");
    release_all(&b, 0);
    is_int(busy(&c), 0, "nothing is left");

    bind_all(&a, 0, 3, 2);
    fcz_release(&a.m, &a.slot[0]);
    is_int(busy(&c), 1, "three at once: never");
    release_all(&a, 0);
}


/* nobody is passed by way of a spare place */
static void
test_waiters(void)
{
    uint64_t  ticket;

    bind_all(&a, 0, 16, 3);
    fcz_release(&a.m, &a.slot[0]);

    ticket = fcz_ticket(zone);
    member_wait(&b, ticket);
    fcz_beat(&b.m);
    is_int(bind(&a, 0, 16), FCZ_BEHIND, "b waits: a's next does not pass");
    ok(heard(&b), "b is rung");
    is_int(busy(&c), 2, "a has given back what was spare");
    fcz_release(&a.m, &a.slot[0]);
    is_int(busy(&c), 1, "and keeps nothing");
    is_int(fcz_bind(&b.m, &b.slot[0], 16, &ticket, 0), FCZ_OK, "b takes it");
    fcz_wait_sub(&b.m, &b.pool, FCZ_NO_TICKET);
    release_all(&a, 0);
    release_all(&b, 0);
    is_int(busy(&c), 0, "nothing is left");
}


/* whatever is not as it was when the place was taken */
static void
test_changes(void)
{
    fcz_key_t   key;
    fcz_pool_t  other;
    fcz_view_t  view;

    bind_all(&a, 0, 16, 3);
    fcz_release(&a.m, &a.slot[0]);
    is_int(bind(&a, 0, 2), FCZ_FULL, "the limit is 2 now: two are inside");
    is_int(bind(&a, 0, 3), FCZ_OK, "3: one more is taken");

    fcz_release(&a.m, &a.slot[0]);
    is_int(bind(&a, 0, 16), FCZ_OK, "16");
    fcz_release(&a.m, &a.slot[0]);
    fcz_key(zone, &key, "f", "2");
    fcz_pool_init(&other, &key);
    a.slot[1].pool = &other;
    is_int(bind(&a, 1, 16), FCZ_OK, "another is of another pool");
    a.slot[0].pool = &other;
    is_int(bind(&a, 0, 16), FCZ_OK, "so is this one now");
    fcz_view(&a.m, &other, &view);
    is_int(view.busy, 4, "and is counted there");
    is_int(busy(&a), 0, "and here no more");
    release_all(&a, 0);
    release_all(&a, 1);
    a.slot[0].pool = &a.pool;
    a.slot[1].pool = &a.pool;

    bind_all(&a, 0, 16, 3);
    fcz_release(&a.m, &a.slot[0]);
    fcz_mem_reset(zone);
    is_int(bind(&a, 0, 16), FCZ_SETTLING, "a new epoch: what is spare is not");
    fcz_beat(&b.m);
    fcz_beat(&c.m);
    fcz_beat(&a.m);
    is_int(busy(&b), 2, "what a tells is what is so");
    is_int(bind(&a, 0, 16), FCZ_OK, "and it goes on");
    is_int(busy(&b), 3, "with all counted");
    release_all(&a, 0);
    is_int(busy(&b), 0, "nothing is left");
}


/* its owner, or the instance, goes */
static void
test_end(void)
{
    fcz_key_t   key;
    fcz_slot_t  slot;

    fcz_key(zone, &key, "f", "n2");
    fcz_slot_init(&slot, &a.pool, &key);
    is_int(fcz_bind(&a.m, &slot, 16, &(uint64_t) { 0 }, 1), FCZ_OK, "one");
    is_int(fcz_bind(&a.m, &slot, 16, &(uint64_t) { 0 }, 1), FCZ_OK, "two");
    fcz_release(&a.m, &slot);
    fcz_slot_done(&a.m, &slot);
    memset(&slot, 0xff, sizeof(slot));
    fcz_beat(&a.m);
    is_int(busy(&b), 0, "the instance is gone: nothing is counted");

    bind_all(&b, 0, 16, 3);
    fcz_release(&b.m, &b.slot[0]);
    fcz_leave(&b.m);
    is_int(busy(&a), 0, "its owner is gone: nothing is counted");
    member_join(&b);
}


int
main(void)
{
    members_join();
    fcz_beat(&a.m);
    fcz_beat(&b.m);
    fcz_beat(&c.m);

    test_alone();
    test_beat();
    test_recall();
    test_full();
    test_waiters();
    test_changes();
    test_end();

    is_int(a.m.events | b.m.events | c.m.events, 0, "nothing to be told");

    return tap_done();
}
