#include <inttypes.h>
#include <stdio.h>

#include "contract/fcf_script.h"


void
fcf_ask_args(fcf_ask_args_t *args, const fcf_ask_t *ask)
{
    size_t          i;
    const uint64_t  numbers[] = {
        ask->waiting, ask->concurrency, ask->least, ask->max, ask->live,
        ask->ttl_ms, ask->demand_ttl_ms, (uint64_t) ask->seen
    };

    args->argv[0] = fcf_redis_pending(args->keys[0], ask->prefix,
                                      ask->function_id);
    args->argv[1] = fcf_redis_queue(args->keys[1], ask->prefix);
    args->argv[2] = fcf_redis_demand(args->keys[2], ask->prefix,
                                     ask->function_id);

    /* the demands of versions are told one by one */
    snprintf(args->asker, sizeof(args->asker), "%.*s:%" PRId64, FCF_ASKER_MAX,
             ask->asker, ask->version);

    args->argv[3] = ask->request_id;
    args->argv[4] = ask->job;
    args->argv[5] = args->asker;

    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        snprintf(args->numbers[i], sizeof(args->numbers[i]), "%" PRIu64,
                 numbers[i]);
        args->argv[6 + i] = args->numbers[i];
    }

    args->argv[14] = ask->boots;
    args->argv[15] = ask->others;
}
