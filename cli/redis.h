/* Redis, one command after the other, each waited for. */

#ifndef _FCC_REDIS_H_INCLUDED_
#define _FCC_REDIS_H_INCLUDED_

#include "cli/fcc.h"

/* a client with the settings' addresses and credentials, to be freed with
 * fcf_redis_free(); NULL: *err says why not */
fcf_redis_t *fcc_redis_new(fcc_t *fcc, fcf_err_t *err);

/* argv: up to a NULL.  look, which may be NULL, is shown the reply. */
int fcc_redis_call(fcc_t *fcc, fcf_redis_t *redis, const char **argv,
    void (*look)(void *arg, const redisReply *reply), void *arg,
    fcf_err_t *err) fcf_must_check;

#endif /* _FCC_REDIS_H_INCLUDED_ */
