/* What a snapshot is of, as a name. */

#include <stdio.h>
#include <string.h>

#include "agent/vmm/snaps.h"

#define CPU_LINES  "model name\tstepping\tmicrocode\tflags"


void
fca_snaps_cpu(char *buf, size_t size)
{
    char           line[4096];
    FILE          *f;
    fca_sha256_t   sha;
    char           text[FCA_SHA256_TEXT + 1], *tab;

    *buf = '\0';
    f = fopen("/proc/cpuinfo", "re");
    if (f == NULL) {
        return;
    }

    fca_sha256_init(&sha);

    while (fgets(line, sizeof(line), f) != NULL && line[0] != '\n') {
        tab = strchr(line, '\t');

        if (tab == NULL) {
            continue;
        }

        *tab = '\0';

        if (strstr(CPU_LINES, line) != NULL) {
            fca_sha256_add(&sha, tab + 1, strlen(tab + 1));
        }
    }

    fclose(f);
    fca_sha256_end(&sha, text);
    snprintf(buf, size, "%s", text);
}


void
fca_snap_key(char key[FCA_SHA256_TEXT + 1], const char *const *parts)
{
    fca_sha256_t  sha;

    fca_sha256_init(&sha);

    for ( /* void */ ; *parts != NULL; parts++) {
        fca_sha256_add(&sha, *parts, strlen(*parts) + 1);
    }

    fca_sha256_end(&sha, key);
}
