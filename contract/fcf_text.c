#include <stdio.h>
#include <string.h>

#include "contract/fcf_text.h"

#define FCF_ESC  0x1b


size_t
fcf_utf8_char(const unsigned char *p, size_t len, unsigned *c)
{
    size_t    i, n;
    unsigned  cp;

    static const unsigned  least[] = { 0, 0, 0x80, 0x800, 0x10000 };

    if (len == 0) {
        return 0;
    }

    cp = p[0];
    n = cp < 0x80 ? 1 : (cp & 0xe0) == 0xc0 ? 2 : (cp & 0xf0) == 0xe0 ? 3
        : (cp & 0xf8) == 0xf0 ? 4 : 0;

    if (n == 0 || n > len) {
        return 0;
    }

    cp &= n == 1 ? 0x7f : 0x7fu >> n;

    for (i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }

        cp = cp << 6 | (p[i] & 0x3f);
    }

    if (cp < least[n] || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff)) {
        return 0;
    }

    if (c != NULL) {
        *c = cp;
    }

    return n;
}


int
fcf_char_shown(unsigned c)
{
    size_t  i;

    static const struct {
        unsigned  first, last;
    } hidden[] = {
        { 0x0000, 0x001f }, { 0x007f, 0x009f }, { 0x00ad, 0x00ad },
        { 0x061c, 0x061c }, { 0x200b, 0x200f }, { 0x2028, 0x202e },
        { 0x2060, 0x206f }, { 0xfeff, 0xfeff }, { 0xfff0, 0xfffb },
        { 0xe0000, 0xe0fff },
    };

    for (i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
        if (c >= hidden[i].first && c <= hidden[i].last) {
            return 0;
        }
    }

    return 1;
}


/* length of ESC [ parameters letter, as far as it goes; 0: it is none */
static size_t
fcf_text_sequence(const unsigned char *p, size_t len)
{
    size_t  n;

    if (len < 2 || p[0] != FCF_ESC || p[1] != '[') {
        return 0;
    }

    for (n = 2; n < len && p[n] >= 0x20 && p[n] <= 0x3f; n++) {
        /* parameters */
    }

    return n < len && p[n] >= 0x40 && p[n] <= 0x7e ? n + 1 : n;
}


static size_t
fcf_text_escape(char *esc, size_t size, const unsigned char *p, size_t n,
    unsigned c)
{
    int  len;

    if (n != 0 && (c == '\n' || c == '\t' || c == '\r')) {
        len = snprintf(esc, size, "\\%c",
                       c == '\n' ? 'n' : c == '\t' ? 't' : 'r');

    } else if (n == 0 || c < 0x80) {
        len = snprintf(esc, size, "\\x%02x", p[0]);

    } else if (c < 0x10000) {
        len = snprintf(esc, size, "\\u%04x", c);

    } else {
        len = snprintf(esc, size, "\\U%08x", c);
    }

    return (size_t) len;
}


size_t
fcf_text_clean(char *dst, size_t size, const char *src, size_t len, int flags)
{
    char                  esc[16];
    size_t                at, in, n, out;
    unsigned              c;
    const char           *piece;
    const unsigned char  *p;

    p = (const unsigned char *) src;
    out = 0;

    for (at = 0; at < len; at += in) {
        in = fcf_text_sequence(p + at, len - at);

        if (in != 0 || (p[at] == '\r' && at + 1 < len && p[at + 1] == '\n')) {
            in = in != 0 ? in : 1;
            continue;
        }

        in = fcf_utf8_char(p + at, len - at, &c);
        piece = src + at;
        n = in;

        if (in == 0
            || (!fcf_char_shown(c)
                && !((flags & FCF_TEXT_LINES) && (c == '\n' || c == '\t'))))
        {
            n = fcf_text_escape(esc, sizeof(esc), p + at, in, c);
            piece = esc;
            in = in != 0 ? in : 1;
        }

        if (n > size - 1 - out) {
            break;
        }

        memcpy(dst + out, piece, n);
        out += n;
    }

    dst[out] = '\0';

    return out;
}
