/* The JSON of a guest's config drive (vm/guest.h). */

#ifndef _FCA_GUEST_CONFIG_H_INCLUDED_
#define _FCA_GUEST_CONFIG_H_INCLUDED_

#include <netinet/in.h>
#include <stdint.h>
#include "contract/fcf_codec.h"

typedef struct {
    const char       *function_id, *instance_id;
    int64_t           version;
    int               port;
    struct in_addr    address, gateway;
    unsigned          prefix_len, mtu;  /* mtu 0: the device's */
    unsigned char     mac[6];
    int               memory_mb;        /* 0: not told */
    const struct in_addr  *dns;
    size_t            ndns;
    const fcf_env_t  *env;
} fca_guest_config_t;

/* malloc'd, with bytes for the guest's random pool, of which no two have the
 * same, and to be freed by fcf_env_wipe(); NULL: out of memory */
char *fca_guest_config(const fca_guest_config_t *config);
/* the same of what a clone is told over the control port */
char *fca_guest_wake(const fca_guest_config_t *config);

#endif /* _FCA_GUEST_CONFIG_H_INCLUDED_ */
