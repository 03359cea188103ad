#include <stdint.h>

#include "contract/fcf_base64.h"

#define FCF_BASE64_PAD  64


static const char  fcf_base64_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";


size_t
fcf_base64_encode(char *dst, const void *src, size_t n)
{
    char           *p;
    uint32_t        v;
    const uint8_t  *s;

    p = dst;
    s = src;

    for ( /* void */ ; n >= 3; n -= 3, s += 3) {
        v = (uint32_t) s[0] << 16 | (uint32_t) s[1] << 8 | s[2];

        *p++ = fcf_base64_alphabet[v >> 18];
        *p++ = fcf_base64_alphabet[v >> 12 & 63];
        *p++ = fcf_base64_alphabet[v >> 6 & 63];
        *p++ = fcf_base64_alphabet[v & 63];
    }

    if (n != 0) {
        v = (uint32_t) s[0] << 16;

        if (n == 2) {
            v |= (uint32_t) s[1] << 8;
        }

        *p++ = fcf_base64_alphabet[v >> 18];
        *p++ = fcf_base64_alphabet[v >> 12 & 63];
        *p++ = (n == 2) ? fcf_base64_alphabet[v >> 6 & 63] : '=';
        *p++ = '=';
    }

    *p = '\0';

    return (size_t) (p - dst);
}


static int
fcf_base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }

    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }

    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }

    switch (c) {

    case '+':
        return 62;

    case '/':
        return 63;

    case '=':
        return FCF_BASE64_PAD;
    }

    return -1;
}


/*
 * The last group: returns how many bytes it stands for, or -1.  Bits that the
 * padding cuts off must be zero, so that each value has one spelling.
 */

static int
fcf_base64_tail(const int *d)
{
    if (d[0] == FCF_BASE64_PAD || d[1] == FCF_BASE64_PAD) {
        return -1;
    }

    if (d[2] == FCF_BASE64_PAD) {
        return (d[3] == FCF_BASE64_PAD && (d[1] & 15) == 0) ? 1 : -1;
    }

    if (d[3] == FCF_BASE64_PAD) {
        return ((d[2] & 3) == 0) ? 2 : -1;
    }

    return 3;
}


int
fcf_base64_decode(char *dst, size_t *len, const char *src, size_t n)
{
    int       d[4], i, bytes;
    char     *p;
    size_t    at;
    uint32_t  v;

    if (n % 4 != 0) {
        return -1;
    }

    p = dst;

    for (at = 0; at < n; at += 4) {

        v = 0;

        for (i = 0; i < 4; i++) {
            d[i] = fcf_base64_digit(src[at + (size_t) i]);

            if (d[i] < 0) {
                return -1;
            }

            v = v << 6 | (uint32_t) (d[i] & 63);
        }

        bytes = fcf_base64_tail(d);

        if (bytes < 0 || (bytes < 3 && at + 4 != n)) {
            return -1;
        }

        *p++ = (char) (v >> 16);

        if (bytes > 1) {
            *p++ = (char) (v >> 8);
        }

        if (bytes > 2) {
            *p++ = (char) v;
        }
    }

    *p = '\0';
    *len = (size_t) (p - dst);

    return 0;
}
