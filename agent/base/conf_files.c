/* The files that settings name: secrets, and what a guest is made of and lives
 * in. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "agent/base/conf.h"
#include "agent/base/conf_parse.h"
#include "agent/base/user.h"

/* no more than so many lines of it, without the last one's end */
static void
fca_conf_lines(char *text, int most)
{
    char    *from, *to;
    size_t   n;

    from = to = text;

    while (most-- > 0 && (n = strcspn(from, "\r\n")) > 0) {
        if (to != text) {
            *to++ = '\n';
        }

        memmove(to, from, n);
        to += n;
        from += n;
        from += strspn(from, "\r\n");
    }

    *to = '\0';
}

/* The file's first lines, with "\n" between them.  NULL in *out if no file is
 * set. */
static int
fca_conf_secret(char **out, const char *name, const char *path, int lines,
    size_t max, fcf_err_t *err)
{
    int      fd, e;
    char    *text;
    ssize_t  n;

    if (*path == '\0') {
        return 0;
    }

    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1) {
        return fcf_err_sys(err, errno, "%s = \"%s\"", name, path);
    }

    text = calloc(1, max + 2);
    n = text ? read(fd, text, max + 1) : -1;
    e = errno;
    close(fd);

    if (n < 0) {
        free(text);
        return fcf_err_sys(err, e, "%s = \"%s\"", name, path);
    }

    fca_conf_lines(text, lines);

    if (*text == '\0' || strlen(text) > max) {
        free(text);
        return fcf_err_set(err, FCF_E_INVALID, "%s = \"%s\": must hold %s of "
                           "1 to %zu bytes", name, path,
                           lines == 1 ? "one line" : "one line, or two,", max);
    }

    free(*out);
    *out = text;

    return 0;
}

int
fca_conf_secrets(fca_conf_t *conf, fcf_err_t *err)
{
    if (fca_conf_secret(&conf->etcd_password, "etcd_password_file",
                        conf->etcd_password_file, 1, FCA_TOKEN_MAX, err) != 0
        || fca_conf_secret(&conf->redis_password, "redis_password_file",
                           conf->redis_password_file, 1, FCA_TOKEN_MAX, err)
           != 0
        || fca_conf_secret(&conf->token, "token_file", conf->token_file, 2,
                           FCA_TOKEN_MAX, err) != 0
        || fca_conf_secret(&conf->admin_token, "admin_token_file",
                           conf->admin_token_file, 1, FCA_TOKEN_MAX, err) != 0)
    {
        return -1;
    }

    return 0;
}

static char *
fca_conf_which(const char *name)
{
    char         path[4096];
    const char  *dirs, *end;

    dirs = getenv("PATH");
    if (dirs == NULL) {
        dirs = "/usr/sbin:/usr/bin:/sbin:/bin";
    }

    for ( ; *dirs; dirs = *end ? end + 1 : end) {
        end = strchrnul(dirs, ':');

        if (end == dirs || (size_t) snprintf(path, sizeof(path), "%.*s/%s",
                                             (int) (end - dirs), dirs, name)
                           >= sizeof(path))
        {
            continue;
        }

        if (access(path, X_OK) == 0) {
            return strdup(path);
        }
    }

    return NULL;
}

/* the word after --backend among the VMM's arguments; "" if there is none */
static const char *
fca_conf_backend(const fca_conf_t *conf)
{
    size_t       i;
    const char  *word;

    for (i = 0; i < conf->vmm_args.n; i++) {
        word = conf->vmm_args.items[i];

        if (strncmp(word, "--backend=", 10) == 0) {
            return word + 10;
        }

        if (strcmp(word, "--backend") == 0 && i + 1 < conf->vmm_args.n) {
            return conf->vmm_args.items[i + 1];
        }
    }

    return "";
}

int
fca_conf_jails(const fca_conf_t *conf, fcf_err_t *err)
{
    if (conf->jail_uid_last < conf->jail_uid_first) {
        return fcf_err_set(err, FCF_E_INVALID, "jail_uid_last = \"%d\": is "
                           "below jail_uid_first (%d)", conf->jail_uid_last,
                           conf->jail_uid_first);
    }

    if (conf->jailer
        && conf->jail_uid_last - conf->jail_uid_first < conf->max_vms - 1)
    {
        return fcf_err_set(err, FCF_E_INVALID, "jail_uid_last = \"%d\": "
                           "leaves %d users for max_vms = %d",
                           conf->jail_uid_last, conf->jail_uid_last
                           - conf->jail_uid_first + 1, conf->max_vms);
    }

    if (conf->jailer && strcmp(fca_conf_backend(conf), "qemu") == 0) {
        return fcf_err_set(err, FCF_E_INVALID, "jailer = \"yes\": not with "
                           "vmm_args = \"--backend qemu\": a jail has none "
                           "of QEMU's files");
    }

    return 0;
}

/* a program's path; a name without "/" is one on PATH */
static int
fca_conf_program(char **program, const char *name, fcf_err_t *err)
{
    char  *path;

    if (strchr(*program, '/') == NULL) {
        path = fca_conf_which(*program);
        if (path == NULL) {
            return fcf_err_set(err, FCF_E_NOT_FOUND, "%s = \"%s\": no such "
                               "program on PATH", name, *program);
        }

        free(*program);
        *program = path;
    }

    return access(*program, X_OK) == 0 ? 0
           : fcf_err_sys(err, errno, "%s = \"%s\"", name, *program);
}

int
fca_conf_guest_files(fca_conf_t *conf, fcf_err_t *err)
{
    struct stat  st;

    if (fca_conf_program(&conf->vmm, "vmm", err) != 0
        || (conf->jailer
            && fca_conf_program(&conf->jailer_binary, "jailer_binary", err)
               != 0))
    {
        return -1;
    }

    if (access(conf->kernel, R_OK) != 0) {
        return fcf_err_sys(err, errno, "kernel = \"%s\"", conf->kernel);
    }

    if (*conf->initrd && access(conf->initrd, R_OK) != 0) {
        return fcf_err_sys(err, errno, "initrd = \"%s\"", conf->initrd);
    }

    if (stat(conf->state_dir, &st) == 0 && !S_ISDIR(st.st_mode)) {
        return fcf_err_sys(err, ENOTDIR, "state_dir = \"%s\"",
                           conf->state_dir);
    }

    return 0;
}

/* the directory of the program that runs, with its last slash; malloc'd */
static char *
fca_conf_own_dir(void)
{
    char     path[4096], *slash;
    ssize_t  n;

    n = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (n < 0) {
        return NULL;
    }

    path[n] = '\0';
    slash = strrchr(path, '/');

    return slash ? strndup(path, (size_t) (slash + 1 - path)) : NULL;
}

/* *text = dir + name */
static int
fca_conf_join(char **text, const char *dir, const char *name)
{
    char  *joined;

    if (dir == NULL || asprintf(&joined, "%s%s", dir, name) < 0) {
        return -1;
    }

    free(*text);
    *text = joined;

    return 0;
}

int
fca_conf_proxy(fca_conf_t *conf, fcf_err_t *err)
{
    int    rc;
    char  *dir;
    gid_t  gid;

    rc = 0;

    if (*conf->proxy && strchr(conf->proxy, '/') == NULL) {
        dir = fca_conf_own_dir();
        rc = fca_conf_join(&conf->proxy, dir, conf->proxy);
        free(dir);
    }

    if (rc == 0 && *conf->proxy_socket == '\0') {
        rc = fca_conf_join(&conf->proxy_socket, conf->state_dir,
                           "/proxy.sock");
    }

    if (rc != 0) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory for the proxy's "
                           "settings");
    }

    if (*conf->proxy && access(conf->proxy, X_OK) != 0) {
        return fcf_err_sys(err, errno, "proxy = \"%s\"", conf->proxy);
    }

    /* who is not root cannot become somebody else */
    if (geteuid() != 0) {
        conf->proxy_uid = geteuid();
        return 0;
    }

    if (fca_user_find(conf->proxy_user, &conf->proxy_uid, &gid, err) != 0) {
        return fcf_err_wrap(err, "proxy_user");
    }

    return 0;
}
