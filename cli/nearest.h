/* "did you mean" */

#ifndef _FCC_NEAREST_H_INCLUDED_
#define _FCC_NEAREST_H_INCLUDED_

#include <stddef.h>

/* the word of a list, up to the NULL, that a typing error most likely meant;
 * NULL: none is near */
const char *fcc_nearest(const char *word,
    const char *(*list)(void *arg, size_t i), void *arg);

#define FCC_MEANT_MAX  64

/* The same as the end of a sentence, in buf: "; did you mean --word?", with
 * what is to stand before the word, a quote also behind it; "" if none is
 * near. */
const char *fcc_meant(char buf[FCC_MEANT_MAX], const char *word,
    const char *before, const char *(*list)(void *arg, size_t i), void *arg);

#endif /* _FCC_NEAREST_H_INCLUDED_ */
