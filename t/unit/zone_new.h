/* A zone for the tests of it, in memory that processes share, with bells. */

#ifndef _FCT_ZONE_NEW_H_INCLUDED_
#define _FCT_ZONE_NEW_H_INCLUDED_

#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "ngx_fcfaas_module/zone/fcz.h"


static void *
fct_map(size_t size)
{
    void  *p;

    p = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS,
             -1, 0);

    if (p == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }

    return p;
}


static fcz_t *
fct_zone_new(uint32_t nslots)
{
    int      i, bells[FCZ_MEMBERS_MAX];
    fcz_t   *z;
    size_t   size;

    for (i = 0; i < FCZ_MEMBERS_MAX; i++) {
        bells[i] = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);
    }

    size = fcz_size(nslots);
    z = fcz_create(fct_map(size), size, bells);

    if (z == NULL) {
        perror("fcz_create");
        exit(1);
    }

    return z;
}


#endif /* _FCT_ZONE_NEW_H_INCLUDED_ */
