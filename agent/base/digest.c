#include <errno.h>
#include <nettle/base16.h>
#include <stdlib.h>
#include <unistd.h>
#include "agent/base/digest.h"

#define DIGEST_BLOCK  65536


static int
digest_write(int fd, const char *data, size_t len)
{
    ssize_t  n;

    while (len > 0) {
        n = write(fd, data, len);

        if (n >= 0) {
            data += n;
            len -= (size_t) n;

        } else if (errno != EINTR) {
            return -1;
        }
    }

    return 0;
}


int64_t
fca_digest_file(int from, int to, struct sha256_ctx *sha)
{
    char     *block;
    int64_t   len;
    ssize_t   n;

    block = malloc(DIGEST_BLOCK);
    len = 0;
    n = -1;

    while (block != NULL) {
        n = read(from, block, DIGEST_BLOCK);

        if (n > 0) {
            sha256_update(sha, (size_t) n, (const uint8_t *) block);
            len += n;

            if (to >= 0 && digest_write(to, block, (size_t) n) != 0) {
                n = -1;
                break;
            }

        } else if (n == 0 || errno != EINTR) {
            break;
        }
    }

    free(block);

    return n < 0 ? -1 : len;
}


void
fca_digest_end(struct sha256_ctx *sha, char hex[FCA_DIGEST + 1])
{
    uint8_t  raw[SHA256_DIGEST_SIZE];

    sha256_digest(sha, sizeof(raw), raw);
    base16_encode_update(hex, sizeof(raw), raw);
    hex[FCA_DIGEST] = '\0';
}
