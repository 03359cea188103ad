/* A snapshot's files: written, checked, removed.  On a worker thread. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/tree.h"
#include "agent/vmm/snaps_int.h"
#include "contract/fcf_mac.h"

#define SNAP_BLOCK     65536
#define SNAP_META_MAX  4096


/* The digest is of what is not zero, and where it stands: it is the same
 * however many holes a file has. */
static void
digest_block(struct sha256_ctx *sha, uint64_t at, const char *block,
    size_t len)
{
    int            i;
    unsigned char  where[8];

    for (i = 0; i < 8; i++) {
        where[i] = (unsigned char) (at >> (56 - 8 * i));
    }

    sha256_update(sha, sizeof(where), where);
    sha256_update(sha, len, (const uint8_t *) block);
}


static int
is_zero(const char *block, size_t len)
{
    return len == 0 || (block[0] == 0 && memcmp(block, block + 1, len - 1)
                                         == 0);
}


static ssize_t
read_block(int fd, char *block, off_t at)
{
    size_t   len;
    ssize_t  n;

    for (len = 0; len < SNAP_BLOCK; len += (size_t) n) {
        n = pread(fd, block + len, SNAP_BLOCK - len, at + (off_t) len);

        if (n < 0 && errno == EINTR) {
            n = 0;
            continue;
        }

        if (n < 0) {
            return -1;
        }

        if (n == 0) {
            break;
        }
    }

    return (ssize_t) len;
}


/* where the next data begins, down to a block; -1: there is none */
static off_t
next_data(int fd, off_t at)
{
    off_t  data;

    data = lseek(fd, at, SEEK_DATA);

    if (data < 0) {
        return errno == ENXIO ? -1 : at;
    }

    return data / SNAP_BLOCK * SNAP_BLOCK;
}


/* Reads fd, with its digest; out: -1, or a copy of it, as sparse as can be. */
static int
run_through(int fd, int out, char *digest, fcf_err_t *err)
{
    off_t               at;
    char               *block;
    ssize_t             n;
    struct stat         st;
    struct sha256_ctx   sha;

    block = malloc(SNAP_BLOCK);

    if (block == NULL || fstat(fd, &st) != 0
        || (out >= 0 && ftruncate(out, st.st_size) != 0))
    {
        free(block);
        return fcf_err_sys(err, block ? errno : ENOMEM, "snapshot");
    }

    sha256_init(&sha);
    digest_block(&sha, (uint64_t) st.st_size, "", 0);
    n = 1;

    for (at = next_data(fd, 0); at >= 0; at = next_data(fd, at + SNAP_BLOCK)) {
        n = read_block(fd, block, at);

        if (n <= 0) {
            break;
        }

        if (is_zero(block, (size_t) n)) {
            continue;
        }

        digest_block(&sha, (uint64_t) at, block, (size_t) n);

        if (out >= 0 && pwrite(out, block, (size_t) n, at) != n) {
            n = -1;
            break;
        }
    }

    free(block);
    fca_digest_end(&sha, digest);

    return n < 0 ? fcf_err_sys(err, errno, "snapshot") : 0;
}


static int
copy_file(int fromfd, int tofd, const char *name, char *digest,
    uint64_t *bytes, fcf_err_t *err)
{
    int          in, out, rc;
    struct stat  st;

    in = openat(fromfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    out = openat(tofd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);

    if (in < 0 || out < 0) {
        rc = fcf_err_sys(err, errno, "snapshot: %s", name);

    } else {
        rc = run_through(in, out, digest, err);
    }

    /* whoever a jailed VMM is, it must read it */
    if (rc == 0 && (fchmod(out, 0444) != 0 || fsync(out) != 0
                    || fstat(out, &st) != 0))
    {
        rc = fcf_err_sys(err, errno, "snapshot: %s", name);
    }

    if (rc == 0) {
        *bytes += (uint64_t) st.st_blocks * 512;
    }

    if (in >= 0) {
        close(in);
    }

    if (out >= 0) {
        close(out);
    }

    return rc;
}


static int
write_meta(int dirfd, const fca_snap_meta_t *meta, fcf_err_t *err)
{
    int      fd, rc;
    char     address[INET_ADDRSTRLEN], mac[FCF_MAC_TEXT], *text;
    json_t  *json;

    const fca_snap_origin_t  *origin = &meta->origin;

    inet_ntop(AF_INET, &origin->address, address, sizeof(address));
    fcf_mac_format(mac, origin->mac);

    json = json_pack("{s:s, s:s, s:I, s:I, s:s, s:s, s:s, s:s}",
                     "key", meta->id.key,
                     "function_id", meta->id.function_id,
                     "version", (json_int_t) meta->id.version,
                     "boot_ms", (json_int_t) origin->boot_ms,
                     "vmm_version", origin->vmm_version,
                     "address", address, "mac", mac,
                     "memory_sha256", meta->digest);
    text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);

    fd = openat(dirfd, FCA_SNAP_META, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                0444);

    rc = text == NULL || fd < 0
         || write(fd, text, strlen(text)) != (ssize_t) strlen(text)
         || fsync(fd) != 0 || fsync(dirfd) != 0
         ? fcf_err_sys(err, errno, "snapshot: " FCA_SNAP_META) : 0;

    free(text);

    if (fd >= 0) {
        close(fd);
    }

    return rc;
}


int
fca_snap_write(const char *dir, int fromfd, fca_snap_meta_t *meta,
    fcf_err_t *err)
{
    int   fd, rc;
    char  aside[PATH_MAX], path[PATH_MAX], state[FCA_DIGEST + 1];

    snprintf(aside, sizeof(aside), "%s/" FCA_SNAP_ASIDE "%s", dir,
             meta->id.key);
    snprintf(path, sizeof(path), "%s/%s", dir, meta->id.key);
    meta->bytes = 0;

    (void) fca_tree_remove(aside, NULL);
    (void) fca_tree_remove(path, NULL);

    if (mkdir(aside, 0755) != 0) {
        return fcf_err_sys(err, errno, "%s", aside);
    }

    fd = open(aside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    rc = fd < 0 ? fcf_err_sys(err, errno, "%s", aside) : 0;

    if (rc == 0
        && (copy_file(fromfd, fd, FCA_SNAP_MEMORY, meta->digest, &meta->bytes,
                      err) != 0
            || copy_file(fromfd, fd, FCA_SNAP_STATE, state, &meta->bytes, err)
               != 0
            || write_meta(fd, meta, err) != 0))
    {
        rc = -1;
    }

    if (fd >= 0) {
        close(fd);
    }

    if (rc == 0 && rename(aside, path) != 0) {
        rc = fcf_err_sys(err, errno, "%s", path);
    }

    if (rc != 0) {
        (void) fca_tree_remove(aside, NULL);
    }

    return rc;
}


static int
text_field(const json_t *json, const char *name, char *buf, size_t size)
{
    const char  *text;

    text = json_string_value(json_object_get(json, name));

    return text != NULL && (size_t) snprintf(buf, size, "%s", text) < size
           ? 0 : -1;
}


static int
parse_meta(const char *text, size_t len, const char *name,
    fca_snap_meta_t *meta)
{
    int      rc;
    char     address[INET_ADDRSTRLEN], mac[FCF_MAC_TEXT];
    json_t  *json;

    fca_snap_origin_t  *origin = &meta->origin;

    json = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    meta->id.version = json_integer_value(json_object_get(json, "version"));
    origin->boot_ms = (uint64_t) json_integer_value(json_object_get(json,
                                                                "boot_ms"));

    rc = text_field(json, "key", meta->id.key, sizeof(meta->id.key)) != 0
         || strcmp(meta->id.key, name) != 0
         || text_field(json, "function_id", meta->id.function_id,
                       sizeof(meta->id.function_id)) != 0
         || text_field(json, "vmm_version", origin->vmm_version,
                       sizeof(origin->vmm_version)) != 0
         || text_field(json, "memory_sha256", meta->digest,
                       sizeof(meta->digest)) != 0
         || text_field(json, "address", address, sizeof(address)) != 0
         || text_field(json, "mac", mac, sizeof(mac)) != 0
         || inet_pton(AF_INET, address, &origin->address) != 1
         || fcf_mac_parse(mac, origin->mac) != 0
         ? -1 : 0;

    json_decref(json);

    return rc;
}


static int
read_meta(int dirfd, const char *name, fca_snap_meta_t *meta, fcf_err_t *err)
{
    int      fd;
    char     text[SNAP_META_MAX];
    ssize_t  n;

    fd = openat(dirfd, FCA_SNAP_META, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    n = fd >= 0 ? read(fd, text, sizeof(text)) : -1;

    if (fd >= 0) {
        close(fd);
    }

    if (n <= 0 || (size_t) n == sizeof(text)
        || parse_meta(text, (size_t) n, name, meta) != 0)
    {
        return fcf_err_set(err, FCF_E_INVALID, FCA_SNAP_META ": is not what "
                           "is written there");
    }

    return 0;
}


static int
check_files(int dirfd, fca_snap_meta_t *meta, fcf_err_t *err)
{
    int          fd, rc;
    char         digest[FCA_DIGEST + 1];
    struct stat  memory, state;

    fd = openat(dirfd, FCA_SNAP_MEMORY, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0 || fstat(fd, &memory) != 0
        || fstatat(dirfd, FCA_SNAP_STATE, &state, AT_SYMLINK_NOFOLLOW) != 0)
    {
        rc = fcf_err_sys(err, errno, "its files");

    } else {
        rc = run_through(fd, -1, digest, err);
        meta->bytes = (uint64_t) (memory.st_blocks + state.st_blocks) * 512;
    }

    if (rc == 0 && strcmp(digest, meta->digest) != 0) {
        rc = fcf_err_set(err, FCF_E_INVALID, "its memory is damaged");
    }

    if (fd >= 0) {
        close(fd);
    }

    return rc;
}


int
fca_snap_check(const char *dir, const char *name, fca_snap_meta_t *meta,
    fcf_err_t *err)
{
    int   fd, rc;
    char  path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    memset(meta, 0, sizeof(*meta));

    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0) {
        return fcf_err_sys(err, errno, "%s", path);
    }

    rc = read_meta(fd, name, meta, err) != 0 || check_files(fd, meta, err) != 0
         ? fcf_err_wrap(err, "snapshot %s", path) : 0;
    close(fd);

    return rc;
}


int
fca_snap_remove(const char *dir, const char *name, fcf_err_t *err)
{
    char  path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", dir, name);

    return unlink(path) == 0 ? 0 : fca_tree_remove(path, err);
}
