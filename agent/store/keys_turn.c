/* Not all at once: a thousand VMs that end together, or are put again under a
 * new lease, would have etcd do everything at the same time, and nothing of it
 * in time.  Claims need no turn: as many as there are boots at once. */

#include "agent/store/keys_int.h"

#define FCA_KEYS_CALLS  16

void
fca_keys_turn_leave(fca_keys_t *keys)
{
    if (keys->waiting) {
        keys->waiting = 0;
        TAILQ_REMOVE(&keys->ring->turn, keys, turn);
    }
}

int
fca_keys_turn(fca_keys_t *keys)
{
    fca_keyring_t  *ring = keys->ring;

    if (keys->counted) {
        return 1;
    }

    if (ring->ncalls < FCA_KEYS_CALLS) {
        fca_keys_turn_leave(keys);
        keys->counted = 1;
        ring->ncalls++;
        return 1;
    }

    if (!keys->waiting) {
        keys->waiting = 1;
        TAILQ_INSERT_TAIL(&ring->turn, keys, turn);
    }

    return 0;
}

/* Who is called may not need it any more, so that as many are called as there
 * is room for; who comes too late stands in the line again. */
void
fca_keys_turn_over(fca_keys_t *keys)
{
    unsigned        room;
    fca_keys_t     *next;
    fca_keyring_t  *ring = keys->ring;

    if (keys->counted) {
        keys->counted = 0;
        ring->ncalls--;
    }

    for (room = FCA_KEYS_CALLS - ring->ncalls;
         room > 0 && (next = TAILQ_FIRST(&ring->turn)) != NULL; room--)
    {
        fca_keys_turn_leave(next);
        ring->conf.loop->timer_set(next->timer, 0);
    }
}
