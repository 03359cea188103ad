/* base64 of RFC 4648 section 4 (standard alphabet, padded), as etcd's JSON
 * API uses it. */

#ifndef _FCF_BASE64_H_INCLUDED_
#define _FCF_BASE64_H_INCLUDED_

#include <stddef.h>

#define fcf_base64_encoded_len(n)  ((((n) + 2) / 3) * 4)
#define fcf_base64_decoded_max(n)  (((n) / 4) * 3)

/* dst holds fcf_base64_encoded_len(n) + 1 bytes; returns the length without
 * the NUL that is written too */
size_t fcf_base64_encode(char *dst, const void *src, size_t n);
/* dst holds fcf_base64_decoded_max(n) + 1 bytes, NUL-terminated; returns 0
 * and sets *len, or -1 for anything that is not canonical base64 */
int fcf_base64_decode(char *dst, size_t *len, const char *src, size_t n);

#endif /* _FCF_BASE64_H_INCLUDED_ */
