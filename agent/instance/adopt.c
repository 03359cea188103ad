/* What an earlier agent left: which of it is to be believed. */

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "agent/instance/adopt_int.h"

#define LEGACY_KILL_MS  5000

fca_legacy_t *
fca_legacy_new(const char *node_id, fcf_err_t *err)
{
    fca_legacy_t  *legacy;

    legacy = calloc(1, sizeof(*legacy));
    if (legacy == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "no memory for VMs of an earlier run");
        return NULL;
    }

    snprintf(legacy->node_id, sizeof(legacy->node_id), "%s", node_id);

    if (fca_boot_id(legacy->boot_id, err) != 0) {
        free(legacy);
        return NULL;
    }

    return legacy;
}

/* One that is about to end has no program any more by which it is known, but
 * its TAP still: it is waited for. */
static void
legacy_kill(int pidfd)
{
    (void) syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
}

static void
legacy_wait(int pidfd)
{
    struct pollfd  p = { .fd = pidfd, .events = POLLIN };

    (void) poll(&p, 1, LEGACY_KILL_MS);
    close(pidfd);
}

void
fca_legacy_free(fca_legacy_t *legacy)
{
    size_t       i;
    fca_heir_t  *heir;

    if (legacy == NULL) {
        return;
    }

    for (i = 0; i < legacy->n; i++) {
        heir = &legacy->heirs[i];
        fca_record_free(&heir->record);

        if (heir->vm.pidfd >= 0) {
            legacy_kill(heir->vm.pidfd);
        }
    }

    /* all of them end at once */
    for (i = 0; i < legacy->n; i++) {
        if (legacy->heirs[i].vm.pidfd >= 0) {
            legacy_wait(legacy->heirs[i].vm.pidfd);
        }
    }

    free(legacy->heirs);
    free(legacy->nics);
    free(legacy);
}

size_t
fca_legacy_count(const fca_legacy_t *legacy)
{
    return legacy ? legacy->n : 0;
}

fca_nic_t *
fca_legacy_nics(fca_legacy_t *legacy)
{
    return legacy ? legacy->nics : NULL;
}

/* "<node_id>-<n>" and nothing else; 0: it is none */
static uint64_t
legacy_number(const fca_legacy_t *legacy, const char *worker_id)
{
    char      again[FCF_WORKER_ID_MAX + 32];
    size_t    n;
    uint64_t  number;

    n = strlen(legacy->node_id);

    if (strncmp(worker_id, legacy->node_id, n) != 0 || worker_id[n] != '-') {
        return 0;
    }

    number = strtoull(worker_id + n + 1, NULL, 10);
    snprintf(again, sizeof(again), "%s-%" PRIu64, legacy->node_id, number);

    return strcmp(again, worker_id) == 0 ? number : 0;
}

/* whose slot or TAP is another's too, is not what it says */
static const fca_heir_t *
legacy_same(const fca_legacy_t *legacy, const fca_record_t *r)
{
    size_t               i;
    const fca_record_t  *other;

    for (i = 0; i < legacy->n; i++) {
        other = &legacy->heirs[i].record;

        if (strcmp(other->nic.tap, r->nic.tap) == 0
            || other->port == r->port
            || (other->slot == r->slot
                && strcmp(other->function_id, r->function_id) == 0))
        {
            return &legacy->heirs[i];
        }
    }

    return NULL;
}

static int
legacy_believe(const fca_legacy_t *legacy, const fca_vmm_left_t *left,
    fca_heir_t *heir, fcf_err_t *err)
{
    fca_record_t      *r = &heir->record;
    const fca_heir_t  *same;

    if (left->record == NULL) {
        return fcf_err_set(err, FCF_E_NOT_FOUND, "it has no record");
    }

    if (fca_record_decode(r, left->record, left->record_len, err) != 0) {
        return -1;
    }

    heir->number = legacy_number(legacy, left->worker_id);

    if (strcmp(r->boot_id, legacy->boot_id) != 0) {
        return fcf_err_set(err, FCF_E_INVALID, "record: of an earlier boot of "
                           "the host");
    }

    if (strcmp(r->worker_id, left->worker_id) != 0 || heir->number == 0) {
        return fcf_err_set(err, FCF_E_INVALID, "record: of another VM, %s",
                           r->worker_id);
    }

    /* its job is in the taken list, and a slot, if it has one, is found by the
     * lease */
    if (r->state < FCA_S_SPAWN) {
        return fcf_err_set(err, FCF_E_INVALID, "record: in state %s, without "
                           "a slot", fca_state_name(r->state));
    }

    if (if_nametoindex(r->nic.tap) == 0) {
        return fcf_err_set(err, FCF_E_NOT_FOUND, "record: no TAP %s is there",
                           r->nic.tap);
    }

    same = legacy_same(legacy, r);
    if (same) {
        return fcf_err_set(err, FCF_E_EXISTS, "record: its slot, port or TAP "
                           "is that of %s", same->vm.worker_id);
    }

    return 0;
}

static int
legacy_grow(fca_legacy_t *legacy)
{
    void    *p;
    size_t   size;

    if (legacy->n < legacy->size) {
        return 0;
    }

    size = legacy->size ? legacy->size * 2 : 16;

    p = realloc(legacy->heirs, size * sizeof(legacy->heirs[0]));
    if (p == NULL) {
        return -1;
    }

    legacy->heirs = p;

    p = realloc(legacy->nics, size * sizeof(legacy->nics[0]));
    if (p == NULL) {
        return -1;
    }

    legacy->nics = p;
    legacy->size = size;

    return 0;
}

int
fca_legacy_keep(void *arg, const fca_vmm_left_t *left)
{
    fcf_err_t      err;
    fca_heir_t     heir;
    fca_log_ctx_t  ctx = { NULL, NULL, left->worker_id };
    fca_legacy_t  *legacy = arg;

    memset(&heir, 0, sizeof(heir));

    if (left->pidfd < 0) {
        fca_log(FCF_LOG_INFO, &ctx, "of an earlier run, has ended meanwhile");
        return 0;
    }

    if (legacy_grow(legacy) != 0) {
        fcf_err_set(&err, FCF_E_NOMEM, "no memory");

    } else if (legacy_believe(legacy, left, &heir, &err) == 0) {
        heir.vm = *left;
        heir.vm.record = NULL;
        legacy->nics[legacy->n] = heir.record.nic;
        legacy->heirs[legacy->n++] = heir;
        return 1;
    }

    fca_record_free(&heir.record);
    fca_log(FCF_LOG_WARN, &ctx, "of an earlier run, is ended: %s", err.msg);

    return 0;
}
