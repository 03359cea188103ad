/* Where a Redis listens.  Private to contract/. */

#ifndef _FCF_REDIS_ADDR_H_INCLUDED_
#define _FCF_REDIS_ADDR_H_INCLUDED_

#include "client/fcf_redis.h"

typedef struct {
    char  host[108];            /* numeric address, or a socket's path */
    int   port;                 /* 0: unix socket */
} fcf_redis_addr_t;

int fcf_redis_addr_parse(fcf_redis_addr_t *out, const char *addr,
    fcf_err_t *err) fcf_must_check;

#endif /* _FCF_REDIS_ADDR_H_INCLUDED_ */
