#include "ngx_fcfaas_module/path/fcp_path.h"

#include <stdint.h>
#include <string.h>


typedef struct {
    unsigned char  *text;       /* decoded and normalised */
    uint32_t       *end;        /* of each character, in the raw path */
    size_t          len;
} fcp_read_t;


static void fcp_read(fcp_read_t *read, const fcp_str_t *raw, unsigned merge);
static unsigned fcp_read_segment(fcp_read_t *read);
static int fcp_hex(unsigned char ch);


size_t
fcp_path_len(const fcp_str_t *uri)
{
    size_t                len;
    const unsigned char  *p;

    len = uri->len;

    if (len) {
        p = memchr(uri->data, '?', len);
        len = p ? (size_t) (p - uri->data) : len;
    }

    if (len) {
        p = memchr(uri->data, '#', len);
        len = p ? (size_t) (p - uri->data) : len;
    }

    return len;
}


void
fcp_path_args(const fcp_str_t *uri, fcp_str_t *args)
{
    size_t                len;
    const unsigned char  *p;

    len = fcp_path_len(uri);

    args->data = uri->data + len;
    args->len = uri->len - len;

    p = args->len ? memchr(args->data, '#', args->len) : NULL;

    if (p) {
        args->len = p - args->data;
    }
}


size_t
fcp_path_strip(const fcp_str_t *text, size_t n)
{
    size_t  i;

    for (i = 0; i < text->len; i++) {
        if (text->data[i] == '/' && n-- == 0) {
            break;
        }
    }

    return i;
}


unsigned
fcp_path_dots(const fcp_str_t *text)
{
    size_t  i, start;

    for (i = 0, start = 0; i <= text->len; i++) {

        if (i < text->len && text->data[i] != '/') {
            continue;
        }

        if ((i - start == 1 && text->data[start] == '.')
            || (i - start == 2 && text->data[start] == '.'
                && text->data[start + 1] == '.'))
        {
            return 1;
        }

        start = i + 1;
    }

    return 0;
}


size_t
fcp_path_work(size_t len)
{
    return (len + 1) * (sizeof(uint32_t) + 1);
}


int
fcp_path_rest(fcp_str_t *rest, const fcp_str_t *raw, const fcp_str_t *text,
    size_t cut, unsigned merge, void *work)
{
    size_t      offset;
    fcp_read_t  read;

    read.end = work;
    read.text = (unsigned char *) &read.end[raw->len + 1];

    fcp_read(&read, raw, merge);

    if (read.len != text->len || cut > text->len
        || (text->len && memcmp(read.text, text->data, text->len) != 0))
    {
        return -1;
    }

    offset = cut ? read.end[cut - 1] : 0;

    rest->data = raw->data + offset;
    rest->len = raw->len - offset;

    if (cut < text->len && text->data[cut] == '/'
        && rest->len > 2 && rest->data[0] == '%')
    {
        /* the slash behind what goes was escaped: not a part of a segment, to
         * nginx, so it is none to the function */

        rest->len -= 2;
        read.text[0] = '/';
        memcpy(&read.text[1], rest->data + 3, rest->len - 1);
        rest->data = read.text;
    }

    return 0;
}


static void
fcp_read(fcp_read_t *read, const fcp_str_t *raw, unsigned merge)
{
    int            high, low;
    size_t         i;
    unsigned char  ch;

    read->len = 0;

    for (i = 0; i < raw->len; /* void */) {

        ch = raw->data[i++];

        if (ch == '%' && i + 2 <= raw->len) {
            high = fcp_hex(raw->data[i]);
            low = fcp_hex(raw->data[i + 1]);

            if (high >= 0 && low >= 0) {
                ch = (unsigned char) (high << 4 | low);
                i += 2;
            }
        }

        if (ch == '/'
            && (fcp_read_segment(read)
                || (merge && read->len && read->text[read->len - 1] == '/')))
        {
            read->end[read->len - 1] = (uint32_t) i;
            continue;
        }

        read->text[read->len] = ch;
        read->end[read->len] = (uint32_t) i;
        read->len++;
    }

    if (fcp_read_segment(read)) {
        read->end[read->len - 1] = (uint32_t) raw->len;
    }
}


/* takes out a "." or ".." that ends here, and what it steps over: 1 if the
 * path ends with a slash now */
static unsigned
fcp_read_segment(fcp_read_t *read)
{
    size_t  start, len;

    for (start = read->len; start && read->text[start - 1] != '/'; start--) {
        /* void */
    }

    len = read->len - start;

    if (start == 0 || len == 0 || len > 2
        || read->text[start] != '.' || read->text[read->len - 1] != '.')
    {
        return 0;
    }

    read->len = start;

    if (len == 2 && start > 1) {
        do {
            read->len--;
        } while (read->len > 1 && read->text[read->len - 1] != '/');
    }

    return 1;
}


static int
fcp_hex(unsigned char ch)
{
    if (ch >= '0' && ch <= '9') {
        return ch - '0';
    }

    ch |= 0x20;

    return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}


size_t
fcp_path_escape_args(unsigned char *out, const fcp_str_t *args)
{
    size_t          i;
    unsigned char  *p, ch;

    static const char  hex[] = "0123456789ABCDEF";

    p = out;

    for (i = 0; i < args->len; i++) {
        ch = args->data[i];

        if (ch > 0x20 && ch < 0x7f && ch != '#') {
            *p++ = ch;
            continue;
        }

        *p++ = '%';
        *p++ = hex[ch >> 4];
        *p++ = hex[ch & 0xf];
    }

    return p - out;
}


size_t
fcp_path_join(unsigned char *out, const fcp_str_t *path,
    const fcp_str_t *args)
{
    unsigned char  *p;

    p = out;

    if (path->len == 0) {
        *p++ = '/';

    } else {
        memcpy(p, path->data, path->len);
        p += path->len;
    }

    if (args->len) {
        memcpy(p, args->data, args->len);
        p += args->len;
    }

    return p - out;
}
