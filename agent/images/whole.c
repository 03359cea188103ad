#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "agent/images/whole.h"

#define HEAD_SIZE   2048                /* it has all that is looked at */

#define SQUASHFS_MAGIC  0x73717368      /* at 0; bytes used at 40 */
#define EROFS_MAGIC     0xe0f5e1e2      /* at 1024; block bits at + 12, blocks
                                           at + 36 */
#define EXT4_MAGIC      0xef53          /* at 1024 + 56; blocks at + 4, their
                                           size as 1024 << n at + 24 */


static uint64_t
little(const unsigned char *p, int bytes)
{
    uint64_t  n = 0;

    while (bytes-- > 0) {
        n = n << 8 | p[bytes];
    }

    return n;
}


/* how long it is to be at least; 0: it is of no kind that tells */
static uint64_t
image_says(const unsigned char *head)
{
    const unsigned char  *super = head + 1024;

    if (little(head, 4) == SQUASHFS_MAGIC) {
        return little(head + 40, 8);
    }

    if (little(super, 4) == EROFS_MAGIC) {
        return little(super + 36, 4) << (super[12] & 31);
    }

    if (little(super + 56, 2) == EXT4_MAGIC) {
        return little(super + 4, 4) << (10 + (super[24] & 15));
    }

    return 0;
}


int
fca_image_whole(int fd, const struct stat *st, fcf_err_t *err)
{
    ssize_t        n;
    uint64_t       says;
    unsigned char  head[HEAD_SIZE];

    memset(head, 0, sizeof(head));
    n = pread(fd, head, sizeof(head), 0);

    if (n < 0) {
        return fcf_err_sys(err, errno, "reading it");
    }

    if (n == 0) {
        return fcf_err_set(err, FCF_E_NOT_FOUND, "is empty; put a whole image "
                           "there, by mv");
    }

    says = S_ISREG(st->st_mode) ? image_says(head) : 0;

    return (uint64_t) st->st_size >= says ? 0
           : fcf_err_set(err, FCF_E_NOT_FOUND, "is not whole: %lld of %" PRIu64
                         " bytes; put a whole image there, by mv",
                         (long long) st->st_size, says);
}


int
fca_image_whole_at(const char *path, fcf_err_t *err)
{
    int          fd, rc;
    struct stat  st;

    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || fstat(fd, &st) != 0) {
        rc = fcf_err_sys(err, errno, "opening it");
    } else {
        rc = fca_image_whole(fd, &st, err);
    }

    if (fd >= 0) {
        (void) close(fd);
    }

    return rc;
}
