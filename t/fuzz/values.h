/* What the targets over contract/ and client/ share. */

#ifndef _FCT_VALUES_H_INCLUDED_
#define _FCT_VALUES_H_INCLUDED_

#include <string.h>
#include "contract/fcf_err.h"
#include "contract/fcf_text.h"
#include "t/fuzz/fuzz.h"


/* a copy of just that size, so that a byte too far is seen; NUL-terminated
 * where nul is 1 */
static inline char *
fct_copy(const uint8_t *data, size_t size, size_t nul)
{
    char  *copy;

    copy = malloc(size + nul + (size + nul == 0));
    FCT_HOLDS(copy != NULL);

    if (size != 0) {
        memcpy(copy, data, size);
    }

    if (nul) {
        copy[size] = '\0';
    }

    return copy;
}


/* 1: one line that a log can have as it is */
static inline int
fct_clean(const char *text)
{
    size_t    n, len;
    unsigned  c;

    for (len = strlen(text); len != 0; len -= n, text += n) {
        n = fcf_utf8_char((const unsigned char *) text, len, &c);

        if (n == 0 || !fcf_char_shown(c)) {
            return 0;
        }
    }

    return 1;
}


/* what a refusal says: something, in one line */
static inline void
fct_says(const fcf_err_t *err)
{
    FCT_HOLDS(err->code != FCF_OK);
    FCT_HOLDS(err->msg[0] != '\0');
    FCT_HOLDS(memchr(err->msg, '\0', sizeof(err->msg)) != NULL);
    FCT_HOLDS(fct_clean(err->msg));
}

#endif /* _FCT_VALUES_H_INCLUDED_ */
