/*
 * A long array inside a JSON text, read some elements at a time.  Private to
 * client/.
 */

#ifndef _FCF_CUT_H_INCLUDED_
#define _FCF_CUT_H_INCLUDED_

#include <jansson.h>

#define FCF_CUT_HEAD_MAX  1024

typedef struct {
    char        *at;        /* what stands before the next element; once
                               done, the array's end */
    char        *end;       /* of the text */
    unsigned     done:1;
} fcf_cut_t;

/* where the value of that key begins, in the object at p; NULL: nowhere */
const char *fcf_cut_member(const char *p, const char *end, const char *name);

/* the text with an empty array in place of the one there and all after it:
 * brackets has it and what it takes to be whole, at most 15 bytes; NULL: that
 * is no JSON, or long */
json_t *fcf_cut_head(const char *text, const char *array,
    const char *brackets);

/* at most so many elements, as an array, which may be empty; NULL: not
 * understood.  The text is changed. */
json_t *fcf_cut_next(fcf_cut_t *cut, unsigned max);

#endif /* _FCF_CUT_H_INCLUDED_ */
