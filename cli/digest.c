#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <nettle/base16.h>

#include "cli/digest.h"


void
fcc_digest_end(struct sha256_ctx *sha, char hex[FCC_DIGEST])
{
    uint8_t  raw[SHA256_DIGEST_SIZE];

    sha256_digest(sha, sizeof(raw), raw);
    base16_encode_update(hex, sizeof(raw), raw);
    hex[FCC_DIGEST - 1] = '\0';
}


int
fcc_digest_file(const char *path, char hex[FCC_DIGEST], int64_t *size,
    fcf_err_t *err)
{
    int                fd;
    ssize_t            n;
    uint8_t            piece[65536];
    struct sha256_ctx  sha;

    fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return fcf_err_sys(err, errno, "%s", path);
    }

    sha256_init(&sha);
    *size = 0;

    while ((n = read(fd, piece, sizeof(piece))) > 0) {
        sha256_update(&sha, (size_t) n, piece);
        *size += n;
    }

    if (n < 0) {
        (void) fcf_err_sys(err, errno, "%s", path);
    }

    (void) close(fd);
    fcc_digest_end(&sha, hex);

    return n < 0 ? -1 : 0;
}
