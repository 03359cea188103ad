#include "agent/instance/instance_int.h"

/*
 * What happens on which event in which state.  NULL: not possible; logged
 * and counted.  What can come at any time after it was started (a NIC, the
 * VMM's answers) is also met in STOPPING.
 */

/* of a clone, in whatever state until its port accepts: it is booted instead */
#define FCA_RESTORING                               \
        [FCA_E_VMM_FAILED] = fca_on_fallback,       \
        [FCA_E_EXIT]       = fca_on_fallback,       \
        [FCA_E_SLOT_LOST]  = fca_on_slot_lost,      \
        [FCA_E_PUT]        = fca_on_late,           \
        [FCA_E_ABORT]      = fca_on_give_back,      \
        [FCA_E_TIMEOUT]    = fca_on_fallback,

const fca_action_pt  fca_instance_table[FCA_S_N][FCA_E_N] = {

    [FCA_S_LOOKING] = {
        [FCA_E_FETCH]      = fca_on_fetch,
        [FCA_E_IMAGES]     = fca_on_images,
        [FCA_E_NO_IMAGES]  = fca_on_no_images,
        [FCA_E_EXIT]       = fca_on_exit_early,
        [FCA_E_ABORT]      = fca_on_give_back,
        [FCA_E_TIMEOUT]    = fca_on_look_timeout,
    },

    [FCA_S_FETCHING] = {
        [FCA_E_IMAGES]     = fca_on_images,
        [FCA_E_NO_IMAGES]  = fca_on_no_images,
        [FCA_E_EXIT]       = fca_on_exit_early,
        [FCA_E_ABORT]      = fca_on_give_back,
        [FCA_E_TIMEOUT]    = fca_on_fetch_timeout,
    },

    [FCA_S_CLAIMED] = {
        [FCA_E_CLAIM_OK]   = fca_on_claimed,
        [FCA_E_CLAIM_NO]   = fca_on_refused,
        [FCA_E_ENV]        = fca_on_nic_early,
        [FCA_E_NO_ENV]     = fca_on_no_env,
        [FCA_E_NIC]        = fca_on_nic_early,
        [FCA_E_NIC_FAILED] = fca_on_nic_failed,
        [FCA_E_SPAWNED]    = fca_on_spawned_early,
        [FCA_E_VMM_FAILED] = fca_on_vmm_failed,
        [FCA_E_EXIT]       = fca_on_exit_early,
        [FCA_E_ABORT]      = fca_on_give_back,
        [FCA_E_TIMEOUT]    = fca_on_give_back,
    },

    [FCA_S_NETWORK] = {
        [FCA_E_VMM_FAILED] = fca_on_vmm_failed,     /* its TAP is lost */
        [FCA_E_EXIT]       = fca_on_exit_early,
        [FCA_E_ENV]        = fca_on_nic,
        [FCA_E_NO_ENV]     = fca_on_no_env,
        [FCA_E_NIC]        = fca_on_nic,
        [FCA_E_NIC_FAILED] = fca_on_nic_failed,
        [FCA_E_SLOT_LOST]  = fca_on_slot_lost,
        [FCA_E_PUT]        = fca_on_late,
        [FCA_E_ABORT]      = fca_on_give_back,
        [FCA_E_TIMEOUT]    = fca_on_nic_timeout,
    },

    [FCA_S_APART] = {
        [FCA_E_MOVED]      = fca_on_apart,
        [FCA_E_NOT_MOVED]  = fca_on_fallback,
        [FCA_E_SPAWNED]    = fca_on_spawned_early,
        [FCA_E_VMM_FAILED] = fca_on_fallback,
        [FCA_E_EXIT]       = fca_on_fallback,
        [FCA_E_SLOT_LOST]  = fca_on_slot_lost,
        [FCA_E_PUT]        = fca_on_late,
        [FCA_E_ABORT]      = fca_on_give_back,
        [FCA_E_TIMEOUT]    = fca_on_nic_timeout,
    },

    [FCA_S_SPAWN] = {
        [FCA_E_SPAWNED]    = fca_on_spawned,
        [FCA_E_VMM_FAILED] = fca_on_spawn_failed,
        [FCA_E_EXIT]       = fca_on_spawn_failed,
        [FCA_E_SLOT_LOST]  = fca_on_slot_lost,
        [FCA_E_PUT]        = fca_on_late,
        [FCA_E_ABORT]      = fca_on_give_back,
        [FCA_E_TIMEOUT]    = fca_on_vmm_timeout,
    },

    [FCA_S_RESTORE] = {
        [FCA_E_BOOTED]     = fca_on_restored,
        FCA_RESTORING
    },

    [FCA_S_WAKE] = {
        [FCA_E_AWAKE]      = fca_on_awake,
        [FCA_E_NOT_AWAKE]  = fca_on_fallback,
        FCA_RESTORING
    },

    [FCA_S_JOIN] = {
        [FCA_E_MOVED]      = fca_on_joined,
        [FCA_E_NOT_MOVED]  = fca_on_fallback,
        FCA_RESTORING
    },

    [FCA_S_RESTORED] = {
        [FCA_E_ACCEPTED]   = fca_on_accepted,
        FCA_RESTORING
    },

    [FCA_S_FALLBACK] = {
        [FCA_E_NIC]        = fca_on_fallback_step,
        [FCA_E_NIC_FAILED] = fca_on_fallback_step,
        [FCA_E_MOVED]      = fca_on_fallback_step,
        [FCA_E_NOT_MOVED]  = fca_on_fallback_step,
        [FCA_E_SPAWNED]    = fca_on_late,
        [FCA_E_BOOTED]     = fca_on_late,
        [FCA_E_VMM_FAILED] = fca_on_fallback_step,
        [FCA_E_EXIT]       = fca_on_fallback_step,
        [FCA_E_STEP]       = fca_on_fallback_step,
        [FCA_E_SLOT_LOST]  = fca_on_slot_lost,
        [FCA_E_PUT]        = fca_on_late,
        [FCA_E_ABORT]      = fca_on_give_back,
        [FCA_E_TIMEOUT]    = fca_on_fallback_stuck,
    },

    [FCA_S_CONFIGURE] = {
        [FCA_E_CONFIGURED] = fca_on_configured,
        [FCA_E_VMM_FAILED] = fca_on_vmm_failed,
        [FCA_E_EXIT]       = fca_on_vmm_exit,
        [FCA_E_SLOT_LOST]  = fca_on_slot_lost,
        [FCA_E_PUT]        = fca_on_late,
        [FCA_E_ABORT]      = fca_on_give_back,
        [FCA_E_TIMEOUT]    = fca_on_vmm_timeout,
    },

    [FCA_S_BOOT] = {
        [FCA_E_BOOTED]     = fca_on_booted,
        [FCA_E_ACCEPTED]   = fca_on_accepted,
        [FCA_E_VMM_FAILED] = fca_on_vmm_failed,
        [FCA_E_EXIT]       = fca_on_boot_exit,
        [FCA_E_SLOT_LOST]  = fca_on_slot_lost,
        [FCA_E_PUT]        = fca_on_late,
        [FCA_E_BACK]       = fca_on_give_back,
        [FCA_E_ABORT]      = fca_on_give_back,
        [FCA_E_TIMEOUT]    = fca_on_boot_timeout,
    },

    [FCA_S_READY] = {
        [FCA_E_PUT]        = fca_on_registered,
        [FCA_E_DRAINED]    = fca_on_opened,
        [FCA_E_VMM_FAILED] = fca_on_vmm_failed,
        [FCA_E_EXIT]       = fca_on_boot_exit,
        [FCA_E_SLOT_LOST]  = fca_on_slot_lost,
        [FCA_E_ABORT]      = fca_on_give_back,
        [FCA_E_TIMEOUT]    = fca_on_ready_timeout,
    },

    [FCA_S_REGISTERED] = {
        [FCA_E_PUT]        = fca_on_late,
        [FCA_E_DRAINED]    = fca_on_late,
        [FCA_E_VMM_FAILED] = fca_on_drain,
        [FCA_E_EXIT]       = fca_on_died,
        [FCA_E_SLOT_LOST]  = fca_on_drain,
        [FCA_E_DRAIN]      = fca_on_drain,
        [FCA_E_ABORT]      = fca_on_drain,
        [FCA_E_TIMEOUT]    = fca_on_tick,
    },

    [FCA_S_DRAINING] = {
        [FCA_E_PUT]        = fca_on_idle_put,
        [FCA_E_VMM_FAILED] = fca_on_drain,
        [FCA_E_EXIT]       = fca_on_died,
        [FCA_E_SLOT_LOST]  = fca_on_drain,
        [FCA_E_DRAIN]      = fca_on_drain,
        [FCA_E_DRAINED]    = fca_on_idle_drained,
        [FCA_E_DEMAND]     = fca_on_revive,
        [FCA_E_ABORT]      = fca_on_drain,
        [FCA_E_TIMEOUT]    = fca_on_idle_over,
    },

    [FCA_S_STOPPING] = {
        [FCA_E_NIC]        = fca_on_late_nic,
        [FCA_E_NIC_FAILED] = fca_on_late_nic,
        [FCA_E_MOVED]      = fca_on_late_nic,
        [FCA_E_NOT_MOVED]  = fca_on_late_nic,
        [FCA_E_SPAWNED]    = fca_on_late,
        [FCA_E_CONFIGURED] = fca_on_late,
        [FCA_E_BOOTED]     = fca_on_late,
        [FCA_E_VMM_FAILED] = fca_on_step,
        [FCA_E_EXIT]       = fca_on_stop_exit,
        [FCA_E_STEP]       = fca_on_step,
        [FCA_E_DRAINED]    = fca_on_late,
        [FCA_E_DRAIN]      = fca_on_late,
        [FCA_E_ABORT]      = fca_on_hurry,
        [FCA_E_TIMEOUT]    = fca_on_stuck,
    },

    [FCA_S_GONE] = {
        [FCA_E_DRAIN]      = fca_on_late,
        [FCA_E_ABORT]      = fca_on_late,
        [FCA_E_TIMEOUT]    = fca_on_end,
    },
};

static const struct {
    const char  *name;
    unsigned     ms;
} fca_states[] = {
#define FCA_X(id, text, timeout)  { text, timeout },
    FCA_STATES(FCA_X)
#undef FCA_X
};

static const char *const  fca_events[] = {
#define FCA_X(id, text)  text,
    FCA_EVENTS(FCA_X)
#undef FCA_X
};

const char *
fca_state_name(fca_instance_state_e state)
{
    return fca_states[state].name;
}

unsigned
fca_state_ms(fca_instance_state_e state)
{
    return fca_states[state].ms;
}

const char *
fca_event_name(fca_event_e event)
{
    return fca_events[event];
}
