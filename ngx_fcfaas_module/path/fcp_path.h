/*
 * Paths as clients write them ("raw"), and what nginx makes of them ("text"):
 * decoded, without "." and "..", and, with "merge", without double slashes.
 * No nginx in here, so that it can be fuzzed (t/fuzz/path_cut.c).  Nothing
 * ends with NUL, and nothing is allocated.
 */

#ifndef _FCP_PATH_H_INCLUDED_
#define _FCP_PATH_H_INCLUDED_

#include <stddef.h>

typedef struct {
    const unsigned char  *data;
    size_t                len;
} fcp_str_t;

/* of a raw URI: how much stands before arguments or a fragment */
size_t fcp_path_len(const fcp_str_t *uri);
/* of a raw URI: the arguments with their "?", without a fragment */
void fcp_path_args(const fcp_str_t *uri, fcp_str_t *args);

/* how many characters the first n segments have, with their slashes */
size_t fcp_path_strip(const fcp_str_t *text, size_t n);
/* 1 if a segment is "." or ".." */
unsigned fcp_path_dots(const fcp_str_t *text);

/* bytes that fcp_path_rest() works in, for a raw path of len; aligned as
 * malloc()'s are */
size_t fcp_path_work(size_t len);

/*
 * What is left of a raw path without the first "cut" characters of the text
 * that it reads as: in raw, or in work; may be empty, else it begins with "/"
 * if text does there.  -1: raw reads as something else, and rest is not set.
 */
int fcp_path_rest(fcp_str_t *rest, const fcp_str_t *raw,
    const fcp_str_t *text, size_t cut, unsigned merge, void *work);

/* Arguments without their "?", made of decoded text perhaps: what would end a
 * request line, or begin another part of it, is escaped.  out has room for
 * three times as many.  Returns how many there are. */
size_t fcp_path_escape_args(unsigned char *out, const fcp_str_t *args);

/* Both together, never empty; out has room for all and one more. */
size_t fcp_path_join(unsigned char *out, const fcp_str_t *path,
    const fcp_str_t *args);

#endif /* _FCP_PATH_H_INCLUDED_ */
