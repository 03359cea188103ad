/* Members of a zone for the tests of it: several in one process, which is all
 * the same to the zone. */

#ifndef _FCT_ZONE_MEMBER_H_INCLUDED_
#define _FCT_ZONE_MEMBER_H_INCLUDED_

#include <poll.h>
#include <unistd.h>

#include "t/unit/tap.h"
#include "t/unit/zone_new.h"


typedef struct {
    fcz_member_t  m;
    fcz_pool_t    pool;
    fcz_slot_t    slot[4];
} member_t;

static fcz_t    *zone;
static member_t  a, b, c;


static inline void
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


static inline void
member_wait(member_t *m, uint64_t ticket)
{
    is_int(fcz_wait_add(&m->m, &m->pool, 0, 0), FCZ_OK, "it waits");
    fcz_wait_head(&m->m, &m->pool, ticket);
}


static inline unsigned
rung(member_t *m)
{
    uint64_t       n;
    struct pollfd  p = { .fd = fcz_bell(&m->m), .events = POLLIN };

    return poll(&p, 1, 0) == 1 && read(p.fd, &n, sizeof(n)) == sizeof(n);
}


static inline unsigned
heard(member_t *m)
{
    fcz_pool_t  *pools[4];

    return rung(m) && fcz_heard(&m->m, pools, 4) == 1
           && pools[0] == &m->pool;
}


static inline uint32_t
busy(member_t *m)
{
    fcz_view_t  view;

    fcz_view(&m->m, &m->pool, &view);

    return view.busy;
}


/* all of them, in a new zone */
static inline void
members_join(void)
{
    zone = fct_zone_new(64);
    member_join(&a);
    member_join(&b);
    member_join(&c);
}


#endif /* _FCT_ZONE_MEMBER_H_INCLUDED_ */
