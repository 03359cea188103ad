#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "vm/init/mounts.h"

#define DRIVE_RUNTIME   "/dev/vda"
#define DRIVE_FUNCTION  "/dev/vdb"
#define DRIVE_CONFIG    "/dev/vdc"

#define LOWER  "/mnt/lower"
#define LAYER  "/mnt/layer"
#define ROOT   "/mnt/root"

#define LRU_GEN  "/sys/kernel/mm/lru_gen"

typedef struct {
    const char     *source, *target, *type;
    unsigned long   flags;
    const char     *options;
} mount_t;


static const mount_t  kernel_mounts[] = {
    { "proc", "/proc", "proc", MS_NOSUID|MS_NODEV|MS_NOEXEC, NULL },
    { "sysfs", "/sys", "sysfs", MS_NOSUID|MS_NODEV|MS_NOEXEC, NULL },
    { "dev", "/dev", "devtmpfs", MS_NOSUID|MS_NOEXEC, "mode=0755" },
};

static const mount_t  root_mounts[] = {
    { "/proc", ROOT "/proc", NULL, MS_MOVE, NULL },
    { "/sys", ROOT "/sys", NULL, MS_MOVE, NULL },
    { "/dev", ROOT "/dev", NULL, MS_MOVE, NULL },
    { "devpts", ROOT "/dev/pts", "devpts", MS_NOSUID|MS_NOEXEC,
      "mode=0620,gid=5,ptmxmode=0666" },
    { LAYER "/shm", ROOT "/dev/shm", NULL, MS_BIND, NULL },
};

static const mount_t  tmp_mount = {
    LAYER "/tmp", ROOT "/tmp", NULL, MS_BIND, NULL
};

/* what an image may be made of, the default first */
static const char *const  image_types[] = { "squashfs", "ext4", "erofs" };


static int
make_dir(const char *path, fcf_err_t *err)
{
    if (mkdir(path, 0755) < 0 && errno != EEXIST) {
        return fcf_err_sys(err, errno, "mkdir %s", path);
    }

    return 0;
}


static int
mount_one(const mount_t *m, fcf_err_t *err)
{
    if (make_dir(m->target, err) < 0) {
        return -1;
    }

    if (mount(m->source, m->target, m->type, m->flags, m->options) < 0) {
        return fcf_err_sys(err, errno, "mount %s on %s", m->source,
                           m->target);
    }

    return 0;
}


static int
mount_all(const mount_t *m, size_t n, fcf_err_t *err)
{
    for ( /* void */ ; n > 0; n--, m++) {
        if (mount_one(m, err) < 0) {
            return -1;
        }
    }

    return 0;
}


/* EINVAL and ENODEV: not of this type, or a type unknown to the kernel */

static int
mount_image(const char *drive, const char *target, const char *what,
    unsigned long flags, fcf_err_t *err)
{
    size_t  i;

    if (make_dir(target, err) < 0) {
        return -1;
    }

    for (i = 0; i < sizeof(image_types) / sizeof(image_types[0]); i++) {

        if (mount(drive, target, image_types[i], MS_RDONLY|MS_NODEV|flags,
                  NULL) == 0)
        {
            return 0;
        }

        if (errno != EINVAL && errno != ENODEV) {
            return fcf_err_sys(err, errno, "%s drive %s", what, drive);
        }
    }

    return fcf_err_set(err, FCF_E_INVALID,
                       "%s drive %s: no squashfs, ext4 or erofs image", what,
                       drive);
}


/*
 * A function that takes all memory is to be killed.  Without this the kernel
 * gives up the pages of its program instead, which it needs back at once, and
 * a guest spins like that for minutes.  The multi-generational LRU (Linux
 * 6.1, Documentation/admin-guide/mm/multigen_lru.rst) kills before it takes
 * what was used in the last second.  A kernel without it goes on as it is.
 */
static int
protect_memory(fcf_err_t *err)
{
    if (access(LRU_GEN "/min_ttl_ms", W_OK) < 0) {
        return 0;
    }

    if (fcv_write_file(LRU_GEN "/enabled", "y", err) < 0) {
        return -1;
    }

    return fcv_write_file(LRU_GEN "/min_ttl_ms", "1000", err);
}


int
fcv_mount_kernel(fcf_err_t *err)
{
    umask(022);

    if (mount_all(kernel_mounts,
                  sizeof(kernel_mounts) / sizeof(kernel_mounts[0]), err) < 0
        || protect_memory(err) < 0)
    {
        return -1;
    }

    if (mount(NULL, "/sys", NULL, MS_REMOUNT|MS_RDONLY|MS_NOSUID|MS_NODEV
              |MS_NOEXEC, NULL) < 0)
    {
        return fcf_err_sys(err, errno, "remount /sys read-only");
    }

    return 0;
}


static int
enter_root(fcf_err_t *err)
{
    if (chdir(ROOT) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0
        || chroot(".") < 0 || chdir("/") < 0)
    {
        return fcf_err_sys(err, errno, "cannot make %s the root", ROOT);
    }

    return 0;
}


/* what programs expect beside the kernel's own device nodes; the function may
 * open its output again by these names, the pipes are its own */

static int
link_devices(fcf_err_t *err)
{
    size_t                    i;
    static const char *const  links[][2] = {
        { "/proc/self/fd", "/dev/fd" },
        { "/proc/self/fd/0", "/dev/stdin" },
        { "/proc/self/fd/1", "/dev/stdout" },
        { "/proc/self/fd/2", "/dev/stderr" },
    };

    for (i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        if (symlink(links[i][0], links[i][1]) < 0 && errno != EEXIST) {
            return fcf_err_sys(err, errno, "symlink %s", links[i][1]);
        }
    }

    return 0;
}


static int
hide_drives(fcf_err_t *err)
{
    static const char  *const drives[] = { DRIVE_RUNTIME, DRIVE_FUNCTION,
                                           DRIVE_CONFIG };
    size_t              i;

    for (i = 0; i < sizeof(drives) / sizeof(drives[0]); i++) {
        if (chmod(drives[i], 0600) < 0
            && (errno != ENOENT || !fcv_own_root()))
        {
            return fcf_err_sys(err, errno, "chmod %s", drives[i]);
        }
    }

    return 0;
}


/* What may be written is one file system in memory, so that the half of it
 * that all files may take is the half, whatever they are called. */

static int
mount_layer(fcf_err_t *err)
{
    static const mount_t  layer = {
        "layer", LAYER, "tmpfs", MS_NOSUID|MS_NODEV, "mode=0755,size=50%"
    };

    if (mount_one(&layer, err) < 0
        || make_dir(LAYER "/upper", err) < 0
        || make_dir(LAYER "/work", err) < 0
        || make_dir(LAYER "/tmp", err) < 0
        || make_dir(LAYER "/shm", err) < 0)
    {
        return -1;
    }

    if (chmod(LAYER "/tmp", 01777) < 0 || chmod(LAYER "/shm", 01777) < 0) {
        return fcf_err_sys(err, errno, "chmod " LAYER "/tmp");
    }

    return 0;
}


int
fcv_own_root(void)
{
    return access(DRIVE_CONFIG, F_OK) < 0;
}


const char *
fcv_config_drive(void)
{
    return fcv_own_root() ? DRIVE_FUNCTION : DRIVE_CONFIG;
}


/* with a /tmp of its own, which may hold something */

static int
mount_tmp(fcf_err_t *err)
{
    struct stat  st;

    if (fcv_own_root() && lstat(ROOT "/tmp", &st) == 0) {
        return 0;
    }

    return mount_one(&tmp_mount, err);
}


int
fcv_mount_root(fcf_err_t *err)
{
    int            own;
    mount_t        root = {
        "root", ROOT, "overlay", MS_NODEV,
        "lowerdir=" LOWER ",upperdir=" LAYER "/upper,workdir=" LAYER "/work"
    };
    unsigned long  flags;

    /* what a container image may do by set-uid files is its own affair */

    own = fcv_own_root();
    flags = own ? 0 : MS_NOSUID;
    root.flags |= flags;

    if (hide_drives(err) < 0
        || link_devices(err) < 0
        || make_dir("/mnt", err) < 0
        || mount_image(DRIVE_RUNTIME, LOWER, own ? "image" : "runtime", flags,
                       err) < 0
        || mount_layer(err) < 0
        || mount_one(&root, err) < 0
        || (!own && mount_image(DRIVE_FUNCTION, ROOT "/function", "function",
                                flags, err) < 0)
        || mount_tmp(err) < 0
        || mount_all(root_mounts,
                     sizeof(root_mounts) / sizeof(root_mounts[0]), err) < 0)
    {
        return -1;
    }

    return enter_root(err);
}


int
fcv_write_file(const char *path, const char *text, fcf_err_t *err)
{
    int      fd;
    size_t   len;
    ssize_t  n;

    fd = open(path, O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0644);
    if (fd < 0) {
        return fcf_err_sys(err, errno, "open %s", path);
    }

    len = strlen(text);
    n = write(fd, text, len);

    if (n != (ssize_t) len) {
        fcf_err_sys(err, n < 0 ? errno : EIO, "write %s", path);
        close(fd);
        return -1;
    }

    close(fd);

    return 0;
}
