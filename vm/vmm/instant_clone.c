/* The instant machine around a snapshot: the control port's ops for it. */

#include <arpa/inet.h>
#include <string.h>

#include "contract/fcf_mac.h"
#include "vm/vmm/instant_clone.h"

#define FCV_MOVE_MS  2                  /* behind the answer's way out */

static struct {
    struct in_addr  address;
    unsigned char   mac[6];
} place;


static void
move(void *unused)
{
    (void) unused;

    fcv_net_move(place.mac, place.address);

    if (fcv_instant.conf.clone == FCV_CLONE_LOST) {
        fcv_net_pause(1);
    }
}


int
fcv_instant_snapshot(fcf_err_t *err)
{
    return fcv_instant.conf.clone == FCV_CLONE_NONE
           ? fcf_err_set(err, FCF_E_REFUSED, "the function image says "
                         "clone=none")
           : 0;
}


int
fcv_instant_wake(const json_t *request, fcf_err_t *err)
{
    const char  *address, *mac;

    address = json_string_value(json_object_get(request, "address"));
    mac = json_string_value(json_object_get(request, "mac"));

    if (address == NULL || mac == NULL
        || inet_pton(AF_INET, address, &place.address) != 1
        || fcf_mac_parse(mac, place.mac) != 0
        || fcf_mac_is_multicast(place.mac))
    {
        return fcf_err_set(err, FCF_E_INVALID, "address and mac are not an "
                           "address and a MAC address");
    }

    if (fcv_instant.conf.clone == FCV_CLONE_DEAF) {
        return 0;               /* nobody hears of it */
    }

    if (fcv_instant.conf.clone == FCV_CLONE_REFUSES) {
        return fcf_err_set(err, FCF_E_REFUSED, "the function image says "
                           "clone=refuses");
    }

    if (fcv_instant.conf.clone == FCV_CLONE_ENDS) {
        fcv_timer_add(0, fcv_instant_end, NULL);
    }

    fcv_timer_add(FCV_MOVE_MS, move, NULL);

    return 0;
}
