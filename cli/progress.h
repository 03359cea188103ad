/* How far something is that takes long: a bar with bytes on a terminal, a line
 * for each quarter elsewhere; nothing of what is small. */

#ifndef _FCC_PROGRESS_H_INCLUDED_
#define _FCC_PROGRESS_H_INCLUDED_

#include <stdint.h>

typedef struct {
    char      what[48];
    int64_t   size, done;               /* bytes */
    int64_t   told;                     /* so many were */
    int       terminal, shown;
} fcc_progress_t;

/* what: one line's worth, cut; size: may turn out to be more or less */
void fcc_progress_begin(fcc_progress_t *progress, const char *what,
    int64_t size);
/* so much is done by now; as often as one likes */
void fcc_progress(fcc_progress_t *progress, int64_t done);
/* the bar's line ends; well: all of it is done */
void fcc_progress_end(fcc_progress_t *progress, int well);

#endif /* _FCC_PROGRESS_H_INCLUDED_ */
