/* The first step of a VM: are there images to start it from? */

#include <stdlib.h>
#include "agent/instance/instance_int.h"

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
    fca_instance_event(inst, FCA_E_IMAGES, NULL);
}

int
fca_inst_look(fca_instance_t *inst, fcf_err_t *err)
{
    inst->images = malloc(sizeof(*inst->images));
    if (inst->images == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory for a VM");
    }

    inst->look = fca_images_look(inst->all->looker, inst->function_id,
                                 &inst->spec, fca_look_done, inst, err);

    return inst->look ? 0 : -1;
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

/* It may lie on another node.  That it lacks here is no illness, as long as
 * there is a place for images. */
FCA_ACTION(no_images)
{
    if (err->code == FCF_E_NOT_FOUND) {
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
