#include <stdio.h>
#include <string.h>

#include "cli/nearest.h"

#define FCC_WORD_MAX  32


static size_t
fcc_min(size_t a, size_t b)
{
    return a < b ? a : b;
}


/* letters to change, to put in, to take out, or neighbours to exchange */
static size_t
fcc_distance(const char *a, const char *b)
{
    size_t  i, j, n, m, d[FCC_WORD_MAX + 1][FCC_WORD_MAX + 1];

    n = strlen(a);
    m = strlen(b);

    if (n > FCC_WORD_MAX || m > FCC_WORD_MAX) {
        return FCC_WORD_MAX;
    }

    for (i = 0; i <= n; i++) {
        for (j = 0; j <= m; j++) {

            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }

            d[i][j] = fcc_min(fcc_min(d[i - 1][j], d[i][j - 1]) + 1,
                              d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));

            if (i > 1 && j > 1 && a[i - 1] == b[j - 2]
                && a[i - 2] == b[j - 1])
            {
                d[i][j] = fcc_min(d[i][j], d[i - 2][j - 2] + 1);
            }
        }
    }

    return d[n][m];
}


const char *
fcc_nearest(const char *word, const char *(*list)(void *arg, size_t i),
    void *arg)
{
    size_t       i, distance, least;
    const char  *item, *best;

    best = NULL;
    least = strlen(word) / 3 + 2;       /* a third may be wrong */

    for (i = 0; (item = list(arg, i)) != NULL; i++) {

        distance = fcc_distance(word, item);

        /* "memory" for "memory_mb", "dep" for "deploy" */

        if (strlen(word) > 2
            && (strncmp(word, item, strlen(word)) == 0
                || strncmp(word, item, strlen(item)) == 0))
        {
            distance = fcc_min(distance, 1);
        }

        if (distance < least) {
            least = distance;
            best = item;
        }
    }

    return best;
}


const char *
fcc_meant(char buf[FCC_MEANT_MAX], const char *word, const char *before,
    const char *(*list)(void *arg, size_t i), void *arg)
{
    const char  *nearest;

    nearest = fcc_nearest(word, list, arg);
    buf[0] = '\0';

    if (nearest != NULL) {
        (void) snprintf(buf, FCC_MEANT_MAX, "; did you mean %s%s%s?", before,
                        nearest, *before == '"' ? "\"" : "");
    }

    return buf;
}
