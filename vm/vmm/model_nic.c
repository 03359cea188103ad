#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "contract/fcf_mac.h"
#include "vm/vmm/model.h"
#include "vm/vmm/schema.h"
#include "vm/vmm/tap.h"


static int
check_nic(const fcv_model_t *model, fcv_nic_t *nic, unsigned pos,
    fcf_err_t *err)
{
    unsigned          i;
    const char       *id, *mac;
    const fcv_nic_t  *other;

    id = fcv_str(nic->json, "iface_id");
    mac = fcv_str(nic->json, "guest_mac");

    if (mac && fcf_mac_parse(mac, nic->mac) != 0) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "Network config error: %s: guest_mac \"%.40s\" is "
                           "not a MAC address.", id, mac);
    }

    nic->has_mac = mac != NULL;

    if (pos == FCV_NICS_MAX) {
        return fcf_err_set(err, FCF_E_LIMIT,
                           "Network config error: %s: the stand-in has room "
                           "for %d interfaces.", id, FCV_NICS_MAX);
    }

    for (i = 0; i < model->nnics; i++) {
        other = &model->nics[i];

        if (i != pos && nic->has_mac && other->has_mac
            && memcmp(other->mac, nic->mac, 6) == 0)
        {
            return fcf_err_set(err, FCF_E_INVALID,
                               "Network config error: %s: The MAC address is "
                               "already in use: %s.", id, mac);
        }
    }

    return 0;
}


/* An update that stays on its TAP keeps the descriptor: a TAP is opened
 * once. */
static int
take_tap(const fcv_model_t *model, unsigned pos, const char *name,
    fcf_err_t *err)
{
    int          fd;
    const char  *old;

    if (pos < model->nnics) {
        old = fcv_str(model->nics[pos].json, "host_dev_name");

        if (strcmp(old, name) == 0) {
            fd = fcntl(model->nics[pos].fd, F_DUPFD_CLOEXEC, 3);

            return fd != -1 ? fd : fcf_err_sys(err, errno, "%s", name);
        }
    }

    return fcv_tap_open(name, model->vnet_hdr, err);
}


int
fcv_model_put_nic(fcv_model_t *model, json_t *obj, fcf_err_t *err)
{
    unsigned      pos;
    fcv_nic_t     nic;
    const char   *id;

    id = fcv_str(obj, "iface_id");
    pos = fcv_model_find_nic(model, id);

    memset(&nic, 0, sizeof(fcv_nic_t));
    nic.json = obj;

    if (check_nic(model, &nic, pos, err) != 0) {
        goto refused;
    }

    nic.fd = take_tap(model, pos, fcv_str(obj, "host_dev_name"), err);

    if (nic.fd == -1) {
        (void) fcf_err_wrap(err, "Network config error: %s: Could not create "
                                 "the network device: Open tap device failed",
                            id);
        goto refused;
    }

    if (pos == model->nnics) {
        model->nnics++;

    } else {
        json_decref(model->nics[pos].json);
        (void) close(model->nics[pos].fd);
    }

    model->nics[pos] = nic;

    return 0;

refused:

    json_decref(obj);

    return -1;
}
