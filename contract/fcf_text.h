/*
 * Text that others wrote (guests, VMMs, peers), made fit to be shown or
 * logged: well-formed UTF-8 without anything that a terminal, a log or a
 * reader could take for something else.
 */

#ifndef _FCF_TEXT_H_INCLUDED_
#define _FCF_TEXT_H_INCLUDED_

#include <stddef.h>

/* How many bytes at p are one well-formed UTF-8 character, and which it is
 * (c may be NULL); 0 if none: over-long forms, surrogates and what lies above
 * U+10FFFF included. */
size_t fcf_utf8_char(const unsigned char *p, size_t len, unsigned *c);

/* 0: controls (C1 too), what turns the direction of text, what has no width,
 * line and paragraph separators: it is to be escaped */
int fcf_char_shown(unsigned c);

#define FCF_TEXT_LINES  1               /* newlines and tabs stay */
#define FCF_TEXT_GROWS  4               /* bytes, at most, out of one */

/* Copies src to dst, NUL-terminated and cut between characters, and returns
 * the length.  "\n", "\t", "\x1b", "\u202e" stand for what is not shown,
 * "\xff" for a byte that is no UTF-8; colours and cursor movements (ESC [ ...)
 * and the CR of a CR LF are left out.  A backslash stays as it is, so that
 * escaping twice changes nothing.  size must not be 0. */
size_t fcf_text_clean(char *dst, size_t size, const char *src, size_t len,
    int flags);

#endif /* _FCF_TEXT_H_INCLUDED_ */
