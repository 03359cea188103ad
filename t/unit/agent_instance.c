/* The table of a VM's life is whole: no state can be stuck, and what may come
 * from outside is met wherever it can come. */

#include "agent/instance/template.h"
#include "t/unit/tap.h"

static int
has(int state, int event)
{
    return fca_instance_table[state][event] != NULL;
}

static void
everywhere(void)
{
    int              s;
    fca_conf_t       conf;
    fca_instance_t   inst;
    fca_instances_t  all = { .conf = &conf };

    memset(&conf, 0, sizeof(conf));
    memset(&inst, 0, sizeof(inst));
    inst.all = &all;
    fcf_spec_default(&inst.spec);

    for (s = 0; s < FCA_S_N; s++) {
        ok(fca_instance_timeout(&inst, s) > 0, "%s: has a timeout",
           fca_state_name(s));
        ok(has(s, FCA_E_TIMEOUT), "%s: and something happens then",
           fca_state_name(s));
        ok(has(s, FCA_E_ABORT), "%s: the agent may end", fca_state_name(s));
    }
}

static void
where_it_can_come(void)
{
    int  s;

    /* from the first, since one may have been started ahead */
    for (s = FCA_S_LOOKING; s <= FCA_S_STOPPING; s++) {
        ok(has(s, FCA_E_EXIT), "%s: the VMM may end", fca_state_name(s));
    }

    for (s = FCA_S_SPAWN; s <= FCA_S_STOPPING; s++) {
        ok(has(s, FCA_E_VMM_FAILED), "%s: or fail", fca_state_name(s));
    }

    for (s = FCA_S_NETWORK; s <= FCA_S_DRAINING; s++) {
        ok(has(s, FCA_E_SLOT_LOST), "%s: the slot may be lost",
           fca_state_name(s));
        ok(has(s, FCA_E_PUT), "%s: keys are put again", fca_state_name(s));
    }

    ok(has(FCA_S_REGISTERED, FCA_E_DRAIN) && has(FCA_S_DRAINING, FCA_E_DRAIN),
       "what serves may become unwanted");
    ok(has(FCA_S_REGISTERED, FCA_E_DRAINED)
       && has(FCA_S_DRAINING, FCA_E_DRAINED)
       && has(FCA_S_STOPPING, FCA_E_DRAINED),
       "the proxy may answer late, and at the end");
    ok(has(FCA_S_CLAIMED, FCA_E_NIC) && has(FCA_S_NETWORK, FCA_E_NIC)
       && has(FCA_S_STOPPING, FCA_E_NIC),
       "a NIC may come before the slot, after it, and late");
    ok(has(FCA_S_CLAIMED, FCA_E_ENV) && has(FCA_S_NETWORK, FCA_E_ENV)
       && has(FCA_S_CLAIMED, FCA_E_NO_ENV)
       && has(FCA_S_NETWORK, FCA_E_NO_ENV),
       "so may the environment, which may be lacking");
    ok(has(FCA_S_CLAIMED, FCA_E_NIC_FAILED)
       && has(FCA_S_NETWORK, FCA_E_NIC_FAILED)
       && has(FCA_S_STOPPING, FCA_E_NIC_FAILED), "or not");
    ok(has(FCA_S_CLAIMED, FCA_E_SPAWNED) && has(FCA_S_APART, FCA_E_SPAWNED)
       && has(FCA_S_CLAIMED, FCA_E_EXIT) && has(FCA_S_APART, FCA_E_EXIT),
       "a VMM may be there, and gone, before it is waited for");
    ok(has(FCA_S_CLAIMED, FCA_E_VMM_FAILED)
       && has(FCA_S_NETWORK, FCA_E_VMM_FAILED)
       && has(FCA_S_APART, FCA_E_VMM_FAILED), "or fail, or lose its TAP");
    ok(has(FCA_S_STOPPING, FCA_E_SPAWNED)
       && has(FCA_S_STOPPING, FCA_E_CONFIGURED)
       && has(FCA_S_STOPPING, FCA_E_BOOTED), "answers of the VMM, too");
}

static void
where_it_cannot(void)
{
    ok(!has(FCA_S_LOOKING, FCA_E_NIC), "no NIC before there are images");
    ok(!has(FCA_S_LOOKING, FCA_E_SPAWNED)
       && !has(FCA_S_NETWORK, FCA_E_SPAWNED),
       "no VMM is started before images, or without a NIC");
    ok(!has(FCA_S_GONE, FCA_E_EXIT), "no VMM after the end");
    ok(!has(FCA_S_CONFIGURE, FCA_E_ACCEPTED), "no probe before the boot");
    ok(!has(FCA_S_STOPPING, FCA_E_PUT), "no put after the deletion");
}

/* of a snapshot's template */
static void
templates(void)
{
    int  s;

    for (s = 0; s < FCA_T_N; s++) {
        ok(fca_template_table[s][FCA_TE_TIMEOUT] != NULL,
           "template, state %d: something happens at the end of its time", s);
        ok(fca_template_table[s][FCA_TE_STOP] != NULL,
           "template, state %d: the agent may end", s);
    }

    for (s = FCA_T_SPAWN; s <= FCA_T_END; s++) {
        ok(fca_template_table[s][FCA_TE_EXIT] != NULL
           && fca_template_table[s][FCA_TE_FAILED] != NULL,
           "template, state %d: the VMM may fail and end", s);
    }
}

/* whatever goes wrong with a clone, it boots */
static void
falls_back(void)
{
    int     s;
    size_t  i;

    static const int  wrong[] = { FCA_E_VMM_FAILED, FCA_E_EXIT,
                                  FCA_E_TIMEOUT };

    for (s = FCA_S_RESTORE; s <= FCA_S_RESTORED; s++) {
        for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
            ok(fca_instance_table[s][wrong[i]] == fca_on_fallback,
               "%s: on %s it boots", fca_state_name(s),
               fca_event_name(wrong[i]));
        }
    }
}

static void
timeouts(void)
{
    fca_snap_t       snap = { .origin.boot_ms = 0 };
    fca_conf_t       conf;
    fca_instance_t   inst;
    fca_instances_t  all = { .conf = &conf };

    memset(&conf, 0, sizeof(conf));
    memset(&inst, 0, sizeof(inst));
    inst.all = &all;
    inst.spec.boot_timeout_s = 20;

    is_int(fca_instance_timeout(&inst, FCA_S_BOOT), 20000, "the spec's");
    conf.boot_timeout_s = 10;
    is_int(fca_instance_timeout(&inst, FCA_S_BOOT), 10000, "the bound");
    conf.boot_timeout_s = 30;
    is_int(fca_instance_timeout(&inst, FCA_S_BOOT), 20000, "only a bound");

    is_int(fca_instance_timeout(&inst, FCA_S_WAKE), 2000, "of a clone: at "
           "least so long");
    inst.snap = &snap;
    snap.origin.boot_ms = 3000;
    is_int(fca_instance_timeout(&inst, FCA_S_RESTORE), 6000, "twice its "
           "template's boot");
    snap.origin.boot_ms = 3600000;
    is_int(fca_instance_timeout(&inst, FCA_S_RESTORED), 30000, "at most");
}

int
main(void)
{
    everywhere();
    where_it_can_come();
    where_it_cannot();
    timeouts();
    falls_back();
    templates();

    return tap_done();
}
