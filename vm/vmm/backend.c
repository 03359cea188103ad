#include <string.h>

#include "vm/vmm/backend.h"


const fcv_backend_t *
fcv_backend_find(const char *name)
{
    unsigned  i;

    static const fcv_backend_t *const  all[] = { &fcv_backend_qemu,
                                                 &fcv_backend_instant };

    for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (strcmp(all[i]->name, name) == 0) {
            return all[i];
        }
    }

    return NULL;
}
