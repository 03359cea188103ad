/* The first step of a VM: are there images to start it from? */

#include <stdlib.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include "agent/instance/ahead.h"
#include "agent/instance/template.h"

/* what the guest's memory holds, in another order, is another snapshot */
#define FCA_SNAP_LAYOUT  "2"

static int
fca_snap_wanted(const fca_conf_t *conf, const fcf_spec_t *spec)
{
    size_t  i;

    for (i = 0; i < conf->snapshot_runtimes.n; i++) {
        if (strcmp(conf->snapshot_runtimes.items[i], spec->runtime) == 0) {
            return spec->snapshot != FCF_SNAPSHOT_NO;
        }
    }

    return spec->snapshot == FCF_SNAPSHOT_YES;
}

/* What stays the same for all VMs of one version on this node; the version of
 * the VMM, which only the VMM tells, is compared when it has. */
void
fca_inst_snap_id(fca_instance_t *inst, const fca_images_t *images)
{
    int                n;
    char               numbers[256], gateway[INET_ADDRSTRLEN];
    char               dns[FCA_DNS_MAX * 16 + 1] = "";
    size_t             i, len = 0;
    const fca_conf_t  *conf = inst->all->conf;
    const fcf_spec_t  *spec = &inst->spec;
    const char        *parts[32];

    if (inst->all->snaps == NULL || !inst->declared
        || !fca_snap_wanted(conf, spec)) {
        return;
    }

    for (i = 0; i < conf->ndns; i++) {
        n = snprintf(dns + len, sizeof(dns) - len, "%x ", conf->dns[i].s_addr);
        len += (size_t) n;
    }

    inet_ntop(AF_INET, &conf->bridge_address, gateway, sizeof(gateway));
    snprintf(numbers, sizeof(numbers), "%" PRId64 " %" PRId64 " %d %d %d %u "
             "%d", spec->version, spec->secrets_generation, spec->cpu,
             spec->memory_mb, spec->port, conf->bridge_prefix_len,
             conf->egress);

    i = 0;
    parts[i++] = FCA_SNAP_LAYOUT;
    parts[i++] = inst->function_id;
    parts[i++] = numbers;
    parts[i++] = spec->runtime;
    parts[i++] = spec->code.sha256;
    parts[i++] = images->files;
    parts[i++] = conf->kernel_args;
    parts[i++] = conf->vmm;
    parts[i++] = inst->all->cpu_model;
    parts[i++] = gateway;
    parts[i++] = dns;
    parts[i++] = spec->snapshot == FCF_SNAPSHOT_YES ? "yes" : "";

    for (n = 0; n < (int) conf->vmm_args.n && i < 31; n++) {
        parts[i++] = conf->vmm_args.items[n];
    }

    parts[i] = NULL;
    fca_snap_key(inst->snap_id.key, parts);
    inst->snap_id.version = spec->version;
    memcpy(inst->snap_id.function_id, inst->function_id,
           sizeof(inst->snap_id.function_id));
}

static void
fca_look_done(void *arg, const fca_images_t *images, const fcf_err_t *err)
{
    fca_instance_t  *inst = arg;

    inst->look = NULL;

    if (err) {
        fca_instance_event(inst, FCA_E_NO_IMAGES, err);
        return;
    }

    *inst->images = *images;
    fca_inst_snap_id(inst, images);
    fca_instance_event(inst, FCA_E_IMAGES, NULL);
}

static void
fca_look_fetching(void *arg)
{
    fca_instance_event(arg, FCA_E_FETCH, NULL);
}

int
fca_inst_look(fca_instance_t *inst, fcf_err_t *err)
{
    inst->images = malloc(sizeof(*inst->images));
    if (inst->images == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory for a VM");
    }

    inst->look = fca_images_look(inst->all->looker, inst->function_id,
                                 &inst->spec, fca_look_fetching,
                                 fca_look_done, inst, err);

    return inst->look ? 0 : -1;
}

/* What is not there now may be there at another tick. */
static void
fca_look_back_done(void *arg, const fca_images_t *images, const fcf_err_t *err)
{
    fca_instance_t    *inst = arg;
    fca_ahead_want_t   want = { &inst->snap_id, &inst->spec, images };

    inst->look = NULL;

    if (err) {
        return;
    }

    inst->heir = 0;
    fca_inst_snap_id(inst, images);

    if (inst->snap_id.key[0] != '\0') {
        fca_ahead_fill(inst->all, &want);
    }
}

void
fca_inst_look_back(fca_instance_t *inst)
{
    fcf_err_t         err;
    fca_instances_t  *all = inst->all;

    if (inst->heir && inst->look == NULL && all->snaps != NULL
        && fca_snaps_checked(all->snaps))
    {
        inst->look = fca_images_look(all->looker, inst->function_id,
                                     &inst->spec, NULL, fca_look_back_done,
                                     inst, &err);
    }
}

void
fca_inst_look_end(fca_instance_t *inst)
{
    if (inst->look) {
        fca_image_look_drop(inst->look);
        inst->look = NULL;
    }
}

FCA_ACTION(images)
{
    (void) err;
    fca_instance_set(inst, FCA_S_CLAIMED, event);
    fca_inst_claim(inst);
}

FCA_ACTION(fetch)
{
    (void) err;
    fca_instance_set(inst, FCA_S_FETCHING, event);
}

/* It may lie on another node.  That it lacks here is no illness, as long as
 * there is a place for images. */
FCA_ACTION(no_images)
{
    if (err->code == FCF_E_NOT_FOUND || err->code == FCF_E_LIMIT) {
        fca_fail_elsewhere(inst, event, FCF_FAILURE_NO_IMAGE, "%s", err->msg);
    } else {
        fca_fail_here(inst, event, FCF_FAILURE_NO_IMAGE, "%s", err->msg);
    }
}

FCA_ACTION(look_timeout)
{
    (void) err;
    fca_fail_here(inst, event, FCF_FAILURE_NO_IMAGE, "looking for images in "
                  "%s and %s has not ended within %u s",
                  inst->all->conf->functions, inst->all->conf->runtimes,
                  fca_state_ms(FCA_S_LOOKING) / 1000);
}

FCA_ACTION(fetch_timeout)
{
    const char  *what, *where;

    (void) err;
    what = fca_image_look_waits(inst->look, &where);
    fca_fail_elsewhere(inst, event, FCF_FAILURE_NO_IMAGE, "%s has not come "
                       "from %s within %u s", what, where,
                       fca_state_ms(FCA_S_FETCHING) / 1000);
}
