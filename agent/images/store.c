/* An image's files: looked at, written, removed.  On a worker thread. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/images/cache_int.h"


void
fca_store_path(const fca_image_t *image, const char *ending, char *buf,
    size_t size)
{
    (void) snprintf(buf, size, "%s/%s%s", image->cache->dir, image->sha256,
                    ending);
}


/* ends the digest */
static int
digest_is(struct sha256_ctx *sha, const char *sha256)
{
    char  hex[FCA_DIGEST + 1];

    fca_digest_end(sha, hex);

    return strcmp(hex, sha256) == 0;
}


int
fca_image_digest(const char *path, char sha256[FCA_DIGEST + 1], fcf_err_t *err)
{
    int                fd, rc;
    struct sha256_ctx  sha;

    fd = open(path, O_RDONLY | O_CLOEXEC);
    sha256_init(&sha);

    rc = fd < 0 || fca_digest_file(fd, -1, &sha) < 0
         ? fcf_err_sys(err, errno, "%s", path) : 0;
    fca_digest_end(&sha, sha256);

    if (fd >= 0) {
        (void) close(fd);
    }

    return rc;
}


int
fca_image_is(const char *path, const char *sha256, fcf_err_t *err)
{
    char  is[FCA_DIGEST + 1];

    return fca_image_digest(path, is, err) != 0 ? -1
           : strcmp(is, sha256) == 0;
}


static void
file_checked(fca_image_t *image, const struct stat *st)
{
    image->checked = 1;
    fca_file_id(&image->file, st);
}


/* Of a file that is whole by its name.  One that is not what it is called
 * goes. */
static fca_disk_end_e
look_whole(fca_image_t *image)
{
    int          rc;
    char         path[PATH_MAX];
    struct stat  st;

    fca_store_path(image, FCA_IMG_END, path, sizeof(path));

    if (stat(path, &st) != 0) {
        return FCA_DISK_PART;
    }

    if (image->checked && fca_file_same(&image->file, &st)) {
        image->got = st.st_size;
        return FCA_DISK_THERE;
    }

    image->checked = 0;
    rc = fca_image_is(path, image->sha256, &image->err);

    if (rc == 1) {
        file_checked(image, &st);
        image->got = st.st_size;
        return FCA_DISK_THERE;
    }

    if (unlink(path) != 0) {
        (void) fcf_err_sys(&image->err, errno, "%s", path);
        return FCA_DISK_FAILED;
    }

    return FCA_DISK_WRONG;
}


/* how much there is of what was broken off */
static void
look_part(fca_image_t *image)
{
    int      fd;
    char     path[PATH_MAX];
    int64_t  len;

    fca_store_path(image, FCA_PART_END, path, sizeof(path));
    fd = open(path, O_RDONLY | O_CLOEXEC);
    len = fd < 0 ? -1 : fca_digest_file(fd, -1, &image->sha);

    if (len >= 0 && len < image->size) {
        image->got = len;

    } else {
        sha256_init(&image->sha);
        (void) unlink(path);
    }

    if (fd >= 0) {
        (void) close(fd);
    }
}


fca_disk_end_e
fca_store_look(fca_image_t *image)
{
    fca_disk_end_e  end;

    image->got = 0;
    sha256_init(&image->sha);
    end = look_whole(image);

    if (end == FCA_DISK_PART) {
        look_part(image);
    }

    return end;
}


/* it outlives a crash of the host before it has its name */
static fca_disk_end_e
store_whole(fca_image_t *image, int fd, const char *part)
{
    int          dir;
    char         path[PATH_MAX];
    struct stat  st;

    if (!digest_is(&image->sha, image->sha256)) {
        (void) unlink(part);
        sha256_init(&image->sha);
        image->got = 0;
        return FCA_DISK_WRONG;
    }

    fca_store_path(image, FCA_IMG_END, path, sizeof(path));
    dir = open(image->cache->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    /* whoever a jailed VMM is, it must read it */

    if (dir < 0 || fchmod(fd, 0444) != 0 || fsync(fd) != 0
        || fstat(fd, &st) != 0 || rename(part, path) != 0 || fsync(dir) != 0)
    {
        (void) fcf_err_sys(&image->err, errno, "%s", path);

        if (dir >= 0) {
            (void) close(dir);
        }

        return FCA_DISK_FAILED;
    }

    (void) close(dir);
    file_checked(image, &st);

    return FCA_DISK_THERE;
}


fca_disk_end_e
fca_store_write(fca_image_t *image)
{
    int             fd;
    char            part[PATH_MAX];
    size_t          at;
    ssize_t         n;
    fca_disk_end_e  end;

    fca_store_path(image, FCA_PART_END, part, sizeof(part));
    fd = open(part, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    n = fd < 0 ? -1 : 0;

    for (at = 0; n >= 0 && at < image->piece_len; at += (size_t) n) {
        n = pwrite(fd, image->piece + at, image->piece_len - at,
                   image->got + (off_t) at);
    }

    if (n < 0) {
        (void) fcf_err_sys(&image->err, errno, "%s", part);
        end = FCA_DISK_FAILED;

    } else {
        sha256_update(&image->sha, image->piece_len,
                      (const uint8_t *) image->piece);
        image->got += (int64_t) image->piece_len;
        end = image->got < image->size ? FCA_DISK_PART
                                       : store_whole(image, fd, part);
    }

    if (fd >= 0) {
        (void) close(fd);
    }

    return end;
}


void
fca_store_remove(fca_image_t *image)
{
    char  path[PATH_MAX];

    fca_store_path(image, FCA_IMG_END, path, sizeof(path));
    (void) unlink(path);
    fca_store_path(image, FCA_PART_END, path, sizeof(path));
    (void) unlink(path);
}
