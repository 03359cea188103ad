/*
 * Where a message's body ends.  Chunked bodies are passed on as they came, so
 * that their reader must be stricter than any peer's: every line ends with
 * CRLF, sizes are at most 16 hex digits, nothing stands between a chunk's
 * data and its CRLF.  llhttp as Debian ships it is built in its loose mode by
 * default and lets all of that pass (its strict mode refuses bytes above 0x7f
 * in a target, which clients do send), hence it reads heads only.
 */

#ifndef _FCA_PROXY_BODY_H_INCLUDED_
#define _FCA_PROXY_BODY_H_INCLUDED_

#include <stdint.h>
#include <sys/types.h>

typedef enum {
    FCA_BODY_NONE = 0,
    FCA_BODY_LENGTH,
    FCA_BODY_CHUNKED,
    FCA_BODY_CLOSE,             /* a response that ends with its connection */
    FCA_BODY_TUNNEL
} fca_body_e;

typedef struct {
    fca_body_e   kind;
    uint8_t      done;
    uint8_t      state;         /* of the chunk reader */
    uint32_t     line;          /* bytes of extensions and trailers so far */
    uint64_t     left;          /* of the body, or of the chunk */
} fca_body_t;

void fca_body_init(fca_body_t *body, fca_body_e kind, uint64_t length);

/*
 * Reads on; returns how many of the len bytes belong to the body (fewer than
 * len only when it is done), -1 if it is malformed.  If decoded is not NULL,
 * the data without its chunk framing is moved to the front of what was read,
 * and *decoded says how much it is.
 */
ssize_t fca_body_feed(fca_body_t *body, char *data, size_t len,
    size_t *decoded);

#endif /* _FCA_PROXY_BODY_H_INCLUDED_ */
