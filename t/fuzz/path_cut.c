/*
 * The rest of a request's path, as a function gets it: a byte that says what
 * the gateway is told ("0" or "1": whether slashes are merged), and behind it
 * the target of a request line.  nginx's own parser is the judge: whatever is
 * cut, what is left reads to it as what its locations were matched against,
 * less the segments that go.
 */

#include "t/fuzz/fuzz.h"
#include "t/fuzz/nginx/read_uri.h"

#include <string.h>

/* more than any "strip" that is tried here */
#define SEGMENTS  6


static unsigned
same(const fcp_str_t *a, const void *data, size_t len)
{
    return a->len == len && (len == 0 || memcmp(a->data, data, len) == 0);
}


/* of a request line's own: nothing that ends it or a part of it */
static void
holds_together(const unsigned char *data, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        FCT_HOLDS(data[i] > 0x20 && data[i] != 0x7f && data[i] != '#');
    }
}


static void
check_strip(const fcp_str_t *text, size_t n, size_t cut)
{
    size_t  i, slashes;

    FCT_HOLDS(cut == text->len || text->data[cut] == '/');

    for (i = 0, slashes = 0; i < cut; i++) {
        slashes += text->data[i] == '/';
    }

    FCT_HOLDS(slashes <= n && (slashes == n || cut == text->len));
}


/* arguments of any bytes, as "set $args" makes them */
static void
check_escape(const uint8_t *data, size_t size)
{
    char            hex[3];
    size_t          i, n, len;
    fcp_str_t       args;
    unsigned char  *out;

    args.data = data;
    args.len = size;

    out = malloc(3 * size + 1);
    FCT_HOLDS(out != NULL);

    len = fcp_path_escape_args(out, &args);
    FCT_HOLDS(len <= 3 * size);
    holds_together(out, len);

    for (i = 0, n = 0; i < len; i++, n++) {
        FCT_HOLDS(n < size);

        if (out[i] == data[n]) {
            continue;
        }

        FCT_HOLDS(out[i] == '%' && i + 2 < len);
        memcpy(hex, &out[i + 1], 2);
        hex[2] = '\0';
        FCT_HOLDS(strtol(hex, NULL, 16) == data[n]);
        i += 2;
    }

    FCT_HOLDS(n == size);
    free(out);
}


/* in any bytes */
static void
check_dots(const uint8_t *data, size_t size)
{
    char       *path;
    unsigned    dots;
    fcp_str_t   text;

    path = malloc(size + 2);
    FCT_HOLDS(path != NULL);

    path[0] = path[size + 1] = '/';
    memcpy(path + 1, data, size);
    dots = memmem(path, size + 2, "/./", 3)
           || memmem(path, size + 2, "/../", 4);

    text.data = data;
    text.len = size;
    FCT_HOLDS(fcp_path_dots(&text) == dots);

    free(path);
}


/* what the function gets, read by another nginx */
static void
check_joined(const fct_uri_t *uri, const fcp_str_t *rest,
    const fcp_str_t *text, unsigned merge)
{
    size_t          len;
    fct_uri_t       again;
    fcp_str_t       args;
    unsigned char  *out;

    /* the client's own, which nginx sees */

    fcp_path_args(&uri->raw, &args);
    FCT_HOLDS(same(&uri->args, args.data + (args.len != 0),
                   args.len - (args.len != 0)));

    out = malloc(rest->len + args.len + 1);
    FCT_HOLDS(out != NULL);
    len = fcp_path_join(out, rest, &args);

    FCT_HOLDS(len > 0 && out[0] == '/');
    FCT_HOLDS(len <= rest->len + args.len + 1);
    holds_together(out, len);

    FCT_HOLDS(fct_read_uri(&again, out, len, merge) == 0);
    FCT_HOLDS(text->len ? same(&again.text, text->data, text->len)
                        : same(&again.text, "/", 1));
    FCT_HOLDS(same(&again.args, uri->args.data, uri->args.len));

    fct_uri_free(&again);
    free(out);
}


/* a segment more from what is left is as good as from the whole */
static void
check_step(const fcp_str_t *rest, const fcp_str_t *text,
    const fcp_str_t *next, unsigned merge)
{
    void       *work;
    fcp_str_t   step;

    work = malloc(fcp_path_work(rest->len));
    FCT_HOLDS(work != NULL);

    FCT_HOLDS(fcp_path_rest(&step, rest, text, fcp_path_strip(text, 1), merge,
                            work)
              == 0);
    FCT_HOLDS(same(&step, next->data, next->len));

    free(work);
}


/* of another path than it reads as, nothing is left */
static void
check_other(const fct_uri_t *uri, const fcp_str_t *raw, unsigned merge)
{
    void           *work;
    fcp_str_t       text, rest;
    unsigned char  *other;

    work = malloc(fcp_path_work(raw->len));
    other = malloc(uri->text.len + 1);
    FCT_HOLDS(work != NULL && other != NULL);

    memcpy(other, uri->text.data, uri->text.len);
    other[uri->text.len] = '/';

    text.data = other;
    text.len = uri->text.len + 1;
    FCT_HOLDS(fcp_path_rest(&rest, raw, &text, 0, merge, work) == -1);

    text.len -= 2;
    FCT_HOLDS(fcp_path_rest(&rest, raw, &text, 0, merge, work) == -1);

    text.len++;
    other[text.len / 2] ^= 1;
    FCT_HOLDS(fcp_path_rest(&rest, raw, &text, 0, merge, work) == -1);

    free(other);
    free(work);
}


static void
check(const fct_uri_t *uri, unsigned merge)
{
    void       *work, *before;
    size_t      n, cut;
    fcp_str_t   raw, rest, text, last, last_text;

    raw.data = uri->raw.data;
    raw.len = fcp_path_len(&uri->raw);

    check_other(uri, &raw, merge);

    FCT_HOLDS(!fcp_path_dots(&uri->text));

    before = NULL;
    memset(&last, 0, sizeof(last));
    memset(&last_text, 0, sizeof(last_text));

    for (n = 0; n < SEGMENTS; n++) {
        cut = fcp_path_strip(&uri->text, n);
        check_strip(&uri->text, n, cut);

        work = malloc(fcp_path_work(raw.len));
        FCT_HOLDS(work != NULL);
        FCT_HOLDS(fcp_path_rest(&rest, &raw, &uri->text, cut, merge, work)
                  == 0);

        text.data = uri->text.data + cut;
        text.len = uri->text.len - cut;

        FCT_HOLDS((rest.len == 0) == (text.len == 0));
        FCT_HOLDS(rest.len <= raw.len);
        FCT_HOLDS(n != 0 || same(&rest, raw.data, raw.len));

        check_joined(uri, &rest, &text, merge);

        if (n) {
            check_step(&last, &last_text, &rest, merge);
        }

        free(before);
        before = work;
        last = rest;
        last_text = text;
    }

    free(before);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned   merge;
    fct_uri_t  uri;

    if (size < 2) {
        return 0;
    }

    check_escape(data + 1, size - 1);
    check_dots(data + 1, size - 1);

    merge = data[0] & 1;

    if (fct_read_uri(&uri, data + 1, size - 1, merge) != 0) {
        return 0;
    }

    /* without a path of the client's own there is nothing to cut */

    if (uri.path) {
        check(&uri, merge);
    }

    fct_uri_free(&uri);

    return 0;
}
