#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cli/fcc.h"
#include "cli/progress.h"
#include "contract/fcf_text.h"

#define FCC_PROGRESS_LEAST  (1 << 20)   /* bytes: less is done at once */
#define FCC_PROGRESS_STEP   (1 << 18)   /* of a bar */
#define FCC_PROGRESS_LINE   (1 << 22)   /* of lines, at least */
#define FCC_PROGRESS_BAR    32
#define FCC_PROGRESS_CLEAR  "\033[K"    /* what was right of it */


static int64_t
fcc_progress_step(const fcc_progress_t *progress)
{
    return progress->terminal ? FCC_PROGRESS_STEP
           : progress->size / 4 > FCC_PROGRESS_LINE ? progress->size / 4
           : INT64_MAX;
}


static void
fcc_progress_bar(fcc_progress_t *progress)
{
    int   part;
    char  bar[FCC_PROGRESS_BAR + 1];

    part = (int) (progress->done * FCC_PROGRESS_BAR / progress->size);
    memset(bar, ' ', sizeof(bar));
    memset(bar, '#', (size_t) part);
    bar[FCC_PROGRESS_BAR] = '\0';

    (void) fprintf(stderr, "\rfcfaas: %s: [%s] %" PRId64 " of %" PRId64 " KB"
                   FCC_PROGRESS_CLEAR, progress->what, bar,
                   progress->done / 1024, progress->size / 1024);
    progress->shown = 1;
}


void
fcc_progress_begin(fcc_progress_t *progress, const char *what, int64_t size)
{
    memset(progress, 0, sizeof(fcc_progress_t));
    (void) fcf_text_clean(progress->what, sizeof(progress->what), what,
                          strlen(what), 0);
    progress->size = size;
    progress->terminal = isatty(STDERR_FILENO);
}


void
fcc_progress(fcc_progress_t *progress, int64_t done)
{
    progress->done = done < progress->size ? done : progress->size;

    if (progress->size < FCC_PROGRESS_LEAST
        || progress->done - progress->told < fcc_progress_step(progress))
    {
        return;
    }

    progress->told = progress->done;

    if (progress->terminal) {
        fcc_progress_bar(progress);

    } else if (progress->done < progress->size) {
        fcc_say("%s: %" PRId64 " of %" PRId64 " KB", progress->what,
                progress->done / 1024, progress->size / 1024);
    }
}


void
fcc_progress_end(fcc_progress_t *progress, int well)
{
    if (!progress->terminal || progress->size < FCC_PROGRESS_LEAST
        || (!well && !progress->shown))
    {
        return;
    }

    if (well) {
        progress->done = progress->size;
        fcc_progress_bar(progress);
    }

    (void) putc('\n', stderr);
}
