/* Files whose digest was seen to, so that each is read once. */

#ifndef _FCA_KNOWN_H_INCLUDED_
#define _FCA_KNOWN_H_INCLUDED_

#include <stdint.h>
#include <sys/stat.h>
#include "agent/base/digest.h"
#include "contract/fcf_err.h"

#define FCA_KNOWN_MAX  256              /* the oldest is forgotten */

/* which file it is, and that it was not written since */
typedef struct {
    uint64_t  dev, ino, size, sec, nsec;
} fca_file_id_t;

void fca_file_id(fca_file_id_t *id, const struct stat *st);
int fca_file_same(const fca_file_id_t *id, const struct stat *st);

typedef struct {
    struct {
        char           sha256[FCA_DIGEST + 1];
        fca_file_id_t  file;
    }         list[FCA_KNOWN_MAX];
    unsigned  n;
} fca_known_t;                          /* zeroed memory knows none */

/* 0: it is what its name says, by now or by an earlier look.  FCF_E_NOT_FOUND:
 * it is not, so nothing runs of it; any other: it cannot be read.  Waits for
 * the disk. */
int fca_known_right(fca_known_t *known, const char *path, const char *sha256,
    const struct stat *st, fcf_err_t *err) fcf_must_check;

#endif /* _FCA_KNOWN_H_INCLUDED_ */
