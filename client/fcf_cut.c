/*
 * jansson reads only what is whole, and would hold the loop for as long as all
 * of it takes: here the ends of the elements are looked for without it.
 */

#include <string.h>

#include "client/fcf_cut.h"


static const char *
fcf_cut_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')) {
        p++;
    }

    return p;
}


/* p is at its first quote */

static const char *
fcf_cut_string(const char *p, const char *end)
{
    for (p++; p < end; p++) {

        if (*p == '"') {
            return p + 1;
        }

        p += (*p == '\\');
    }

    return NULL;
}


/* the end of the value at p, whatever is in it; NULL: it has none */

static const char *
fcf_cut_value(const char *p, const char *end)
{
    size_t  depth;

    for (depth = 0; p < end; /* void */ ) {

        switch (*p) {

        case '"':
            p = fcf_cut_string(p, end);

            if (p == NULL || depth == 0) {
                return p;
            }

            continue;

        case '{':
        case '[':
            depth++;
            break;

        case '}':
        case ']':

            if (depth == 0) {
                return p;
            }

            if (--depth == 0) {
                return p + 1;
            }

            break;

        case ',':
        case ' ':
        case '\t':
        case '\r':

            if (depth == 0) {
                return p;
            }

            break;
        }

        p++;
    }

    return NULL;
}


const char *
fcf_cut_member(const char *p, const char *end, const char *name)
{
    size_t       len;
    const char  *key, *after;

    len = strlen(name);
    p = fcf_cut_space(p, end);

    if (p == end || *p != '{') {
        return NULL;
    }

    do {
        key = fcf_cut_space(p + 1, end);

        if (key == end || *key != '"') {
            return NULL;
        }

        after = fcf_cut_string(key, end);

        if (after == NULL) {
            return NULL;
        }

        p = fcf_cut_space(after, end);

        if (p == end || *p != ':') {
            return NULL;
        }

        p = fcf_cut_space(p + 1, end);

        if ((size_t) (after - key) == len + 2
            && memcmp(key + 1, name, len) == 0)
        {
            return p;
        }

        p = fcf_cut_value(p, end);

        if (p != NULL) {
            p = fcf_cut_space(p, end);
        }

    } while (p != NULL && p < end && *p == ',');

    return NULL;
}


json_t *
fcf_cut_head(const char *text, const char *array, const char *brackets)
{
    char    head[FCF_CUT_HEAD_MAX + 16];
    size_t  len, n;

    len = (size_t) (array - text);
    n = strlen(brackets);

    if (len > FCF_CUT_HEAD_MAX || n >= sizeof(head) - FCF_CUT_HEAD_MAX) {
        return NULL;
    }

    memcpy(head, text, len);
    memcpy(head + len, brackets, n);

    return json_loadb(head, len + n, 0, NULL);
}


/* what separates the elements is made the brackets of a list of their own */

json_t *
fcf_cut_next(fcf_cut_t *cut, unsigned max)
{
    size_t       len;
    json_t      *list;
    unsigned     n, last;
    const char  *p, *end;

    p = cut->at;
    end = cut->end;
    n = 0;

    do {
        p = fcf_cut_space(p + 1, end);
        p = fcf_cut_value(p, end);

        if (p != NULL) {
            p = fcf_cut_space(p, end);
        }

    } while (p != NULL && p < end && *p == ',' && ++n < max);

    if (p == NULL || p == end || (*p != ',' && *p != ']')) {
        return NULL;
    }

    last = (*p == ']');
    len = (size_t) (p - cut->at) + 1;
    cut->at[0] = '[';
    cut->at[len - 1] = ']';

    list = json_loadb(cut->at, len, 0, NULL);

    cut->at += len - 1;
    cut->done = last;

    return list;
}
