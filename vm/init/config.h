/* The config drive (vm/guest.h): who this VM is, and the function's
 * environment and secrets. */

#ifndef _FCV_CONFIG_H_INCLUDED_
#define _FCV_CONFIG_H_INCLUDED_

#include <jansson.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <stdint.h>
#include "contract/fcf_err.h"
#include "vm/guest.h"

#define FCV_CONFIG_HEAD  12                 /* magic and length */

typedef struct {
    json_t          *json;                  /* owns every string below */
    const char      *function_id, *instance_id, *hostname;
    char             version[24];           /* "" if not given */
    int              port;
    struct in_addr   address, netmask, gateway;
    int              mtu;                   /* 0: not given */
    int              has_mac;
    uint8_t          mac[ETH_ALEN];
    int64_t          time_ms;               /* Unix time; 0: not given */
    int              memory_mb;             /* 0: not given */
    size_t           ndns;
    struct in_addr   dns[FCV_DNS_MAX];
    const char      *seed;                  /* base64; NULL: not given */
    char           **env;                   /* "NAME=value", NULL at the end */
} fcv_config_t;

/* data: the drive from its first byte on, as far as there is one.  On failure
 * nothing is held, and err names the field and its value. */
int fcv_config_decode(fcv_config_t *conf, const void *data, size_t len,
    fcf_err_t *err) fcf_must_check;
/* reads the drive at path and decodes it */
int fcv_config_read(fcv_config_t *conf, const char *path, fcf_err_t *err)
    fcf_must_check;
void fcv_config_free(fcv_config_t *conf);

#endif /* _FCV_CONFIG_H_INCLUDED_ */
