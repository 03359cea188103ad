#include <string.h>

#include "cli/fcc.h"
#include "cli/memory.h"

/* MB, as t/agent/memory.t boots them: with an empty function and some room, on
 * the small kernel and on Debian's.  The first is for runtimes of one's own and
 * for container images, too: it is the kernel's part. */
static const struct {
    const char  *runtime;
    int          least, debian;
} fcc_memory[] = {
    { "base", 40, 80 },
    { "python3", 56, 96 },
    { "node", 88, 128 },
};


int
fcc_memory_check(const char *name, const fcf_spec_t *spec, fcf_err_t *err)
{
    size_t  i, of;

    of = 0;

    for (i = 1; i < sizeof(fcc_memory) / sizeof(fcc_memory[0]); i++) {
        if (strcmp(fcc_memory[i].runtime, spec->runtime) == 0) {
            of = i;
        }
    }

    if (spec->memory_mb < fcc_memory[of].least) {
        return fcf_err_set(err, FCF_E_INVALID, "memory_mb %d: kernel and "
                           "runtime alone need %d, and %d with Debian's "
                           "kernel", spec->memory_mb, fcc_memory[of].least,
                           fcc_memory[of].debian);
    }

    if (spec->memory_mb < fcc_memory[of].debian) {
        fcc_say("%s: memory_mb %d: enough for nodes with the small kernel "
                "alone; with Debian's it needs %d", name, spec->memory_mb,
                fcc_memory[of].debian);
    }

    return 0;
}
