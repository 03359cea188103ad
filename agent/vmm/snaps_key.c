/* What a snapshot is of, as a name. */

#include <stdio.h>
#include <string.h>

#include "agent/vmm/snaps_int.h"

#define CPU_LINES  "model name\tstepping\tmicrocode\tflags"


void
fca_snaps_cpu(char *buf, size_t size)
{
    char                line[4096];
    FILE               *f;
    struct sha256_ctx   sha;
    char                text[FCA_DIGEST + 1], *tab;

    *buf = '\0';
    f = fopen("/proc/cpuinfo", "re");
    if (f == NULL) {
        return;
    }

    sha256_init(&sha);

    while (fgets(line, sizeof(line), f) != NULL && line[0] != '\n') {
        tab = strchr(line, '\t');

        if (tab == NULL) {
            continue;
        }

        *tab = '\0';

        if (strstr(CPU_LINES, line) != NULL) {
            sha256_update(&sha, strlen(tab + 1), (uint8_t *) tab + 1);
        }
    }

    fclose(f);
    fca_digest_end(&sha, text);
    snprintf(buf, size, "%s", text);
}


void
fca_snap_key(char key[FCA_DIGEST + 1], const char *const *parts)
{
    struct sha256_ctx  sha;

    sha256_init(&sha);

    for ( /* void */ ; *parts != NULL; parts++) {
        sha256_update(&sha, strlen(*parts) + 1,
                      (const uint8_t *) *parts);
    }

    fca_digest_end(&sha, key);
}
