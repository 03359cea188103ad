#include <sys/random.h>

#include "client/fcf_backoff.h"

#define FCF_BACKOFF_FIRST_MS  50


uint64_t
fcf_backoff(unsigned failures, uint64_t max_ms)
{
    uint16_t  random;
    uint64_t  ms;

    ms = FCF_BACKOFF_FIRST_MS;

    while (failures > 1 && ms < max_ms) {
        ms *= 2;
        failures--;
    }

    if (ms > max_ms) {
        ms = max_ms;
    }

    if (getrandom(&random, sizeof(random), GRND_NONBLOCK)
        != (ssize_t) sizeof(random))
    {
        return ms;
    }

    return ms / 2 + ms * random / 2 / UINT16_MAX;
}
