/*
 * How long a VMM may take to answer.  On a host whose CPUs are all taken it
 * may not have had its turn yet: the time that its process spent waiting for
 * one is not counted, within bounds.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/bounds.h"
#include "agent/vmm/vmm_int.h"

/* however long it has to wait for a CPU */
#define LIMIT_TIMES  5


static unsigned
limit_ms(const fca_vmm_t *vmm)
{
    return vmm->conf->answer_ms != 0 ? vmm->conf->answer_ms
                                     : FCA_VMM_ANSWER_MS;
}


/* of the process's main thread, since it began; 0 where the kernel does not
 * count it */
static uint64_t
waited_for_cpu_ms(pid_t pid)
{
    char                 dir[48], buf[96];
    unsigned long long   run, wait;

    snprintf(dir, sizeof(dir), "/proc/%d", (int) pid);
    (void) fca_bounds_read(buf, sizeof(buf), dir, "schedstat");

    return sscanf(buf, "%llu %llu", &run, &wait) == 2 ? wait / 1000000 : 0;
}


static void
limit_passed(uv_timer_t *timer)
{
    unsigned    ms;
    uint64_t    elapsed, waited;
    fcf_err_t   err;
    fca_vmm_t  *vmm = timer->data;

    ms = limit_ms(vmm);
    elapsed = uv_now(vmm->conf->uv) - vmm->limit_from;
    waited = waited_for_cpu_ms(vmm->pid) - vmm->limit_waited;
    waited = waited < elapsed ? waited : elapsed;

    if (elapsed - waited < ms && elapsed < ms * LIMIT_TIMES) {
        uv_timer_start(timer, limit_passed, ms - (elapsed - waited), 0);
        return;
    }

    /* if it was this loop that stood still, the answer may be there, unread:
     * timers run first */
    if (!vmm->limit_last) {
        vmm->limit_last = 1;
        uv_timer_start(timer, limit_passed, 1, 0);
        return;
    }

    if (vmm->call == NULL) {
        fcf_err_set(&err, FCF_E_TIMEOUT, "VMM %s: no API socket after %u ms",
                    vmm->conf->binary, (unsigned) elapsed);

    } else {
        fcf_err_set(&err, FCF_E_TIMEOUT, "VMM %s: no answer to %s %s after %u "
                    "ms", vmm->conf->binary, vmm->call->method,
                    vmm->call->path, (unsigned) elapsed);
    }

    fca_vmm_api_cancel(vmm);
    uv_timer_stop(&vmm->timer);
    fca_vmm_step_done(vmm, &err);
}


void
fca_vmm_limit_init(fca_vmm_t *vmm)
{
    uv_timer_init(vmm->conf->uv, &vmm->limit);
    fca_vmm_handle_add(vmm, (uv_handle_t *) &vmm->limit);
}


void
fca_vmm_limit_start(fca_vmm_t *vmm)
{
    vmm->limit_last = 0;
    vmm->limit_from = uv_now(vmm->conf->uv);
    vmm->limit_waited = waited_for_cpu_ms(vmm->pid);

    uv_timer_start(&vmm->limit, limit_passed, limit_ms(vmm), 0);
}


void
fca_vmm_limit_stop(fca_vmm_t *vmm)
{
    uv_timer_stop(&vmm->limit);
}
