/* Which files a dynamically linked program needs besides itself.  Its own
 * loader knows: it is asked, once, with --list. */

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/vmm/vmm_jail.h"

#define LIBS_MAX   256
#define LD_CACHE   "/etc/ld.so.cache"


void
fca_libs_free(char **libs)
{
    size_t  i;

    for (i = 0; libs != NULL && libs[i] != NULL; i++) {
        free(libs[i]);
    }

    free(libs);
}


/* the program's loader; 0: it has none; -1: not a program for this machine */
static int
loader_read(int fd, char *buf, size_t size)
{
    int          i;
    Elf64_Ehdr   head;
    Elf64_Phdr   part;

    if (pread(fd, &head, sizeof(head), 0) != (ssize_t) sizeof(head)
        || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0
        || head.e_ident[EI_CLASS] != ELFCLASS64
        || head.e_phentsize != sizeof(part))
    {
        return -1;
    }

    for (i = 0; i < head.e_phnum; i++) {
        if (pread(fd, &part, sizeof(part),
                  (off_t) head.e_phoff + i * (off_t) sizeof(part))
            != (ssize_t) sizeof(part))
        {
            return -1;
        }

        if (part.p_type != PT_INTERP) {
            continue;
        }

        if (part.p_filesz < 2 || part.p_filesz >= size
            || pread(fd, buf, part.p_filesz, (off_t) part.p_offset)
               != (ssize_t) part.p_filesz)
        {
            return -1;
        }

        buf[part.p_filesz] = '\0';

        return 1;
    }

    return 0;
}


static int
lib_add(char **libs, size_t *n, const char *path, size_t len)
{
    if (*n == LIBS_MAX) {
        return -1;
    }

    libs[*n] = strndup(path, len);

    return libs[*n] != NULL ? (*n)++, 0 : -1;
}


/* "	libc.so.6 => /lib/libc.so.6 (0x7f…)" and the like; what has no path (the
 * kernel's own) is none, and "not found" is said by name */
static int
lib_line(char **libs, size_t *n, const char *line, fcf_err_t *err)
{
    const char  *path;

    if (strstr(line, "not found") != NULL) {
        return fcf_err_set(err, FCF_E_NOT_FOUND, "%s",
                           line + strspn(line, " \t"));
    }

    path = strstr(line, "=> ");
    path = path != NULL ? path + 3 : line + strspn(line, " \t");

    if (*path != '/' || strncmp(path, libs[0], strlen(libs[0])) == 0) {
        return 0;
    }

    return lib_add(libs, n, path, strcspn(path, " \n")) == 0 ? 0
           : fcf_err_set(err, FCF_E_LIMIT, "more than %d libraries",
                         LIBS_MAX);
}


static int
loader_start(const char *loader, const char *program, int out, pid_t *pid)
{
    int                          rc;
    char                        *argv[] = { (char *) loader,
                                            (char *) "--list",
                                            (char *) program, NULL };
    char                        *env[] = { NULL };
    posix_spawn_file_actions_t   actions;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);

    rc = posix_spawn(pid, loader, &actions, NULL, argv, env);

    posix_spawn_file_actions_destroy(&actions);

    return rc;
}


static int
loader_ask(char **libs, size_t *n, const char *program, fcf_err_t *err)
{
    int     rc, status, ends[2];
    char    line[PATH_MAX + 256];
    FILE   *f;
    pid_t   pid;

    if (pipe2(ends, O_CLOEXEC) != 0) {
        return fcf_err_sys(err, errno, "pipe");
    }

    rc = loader_start(libs[0], program, ends[1], &pid);
    close(ends[1]);

    if (rc != 0) {
        close(ends[0]);
        return fcf_err_sys(err, rc, "running %s", libs[0]);
    }

    f = fdopen(ends[0], "r");

    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        if (rc == 0) {
            line[strcspn(line, "\n")] = '\0';
            rc = lib_line(libs, n, line, err);
        }
    }

    if (f != NULL) {
        fclose(f);
    }

    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        /* again */
    }

    if (rc == 0 && status != 0) {
        rc = fcf_err_set(err, FCF_E_INVALID, "%s --list failed", libs[0]);
    }

    return rc;
}


char **
fca_libs_find(const char *program, fcf_err_t *err)
{
    int      fd, rc;
    char   **libs, loader[PATH_MAX];
    size_t   n;

    fd = open(program, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        fcf_err_sys(err, errno, "%s", program);
        return NULL;
    }

    rc = loader_read(fd, loader, sizeof(loader));
    close(fd);

    if (rc < 0) {
        fcf_err_set(err, FCF_E_INVALID, "%s: not a program for this machine",
                    program);
        return NULL;
    }

    /* room for the end, and the loader's cache */
    libs = calloc(LIBS_MAX + 2, sizeof(libs[0]));
    n = 0;

    if (libs == NULL || (rc > 0 && lib_add(libs, &n, loader, strlen(loader))
                                   != 0))
    {
        fca_libs_free(libs);
        fcf_err_set(err, FCF_E_NOMEM, "%s: out of memory", program);
        return NULL;
    }

    if (rc > 0 && loader_ask(libs, &n, program, err) != 0) {
        fcf_err_wrap(err, "libraries of %s", program);
        fca_libs_free(libs);
        return NULL;
    }

    if (rc > 0 && access(LD_CACHE, R_OK) == 0) {
        libs[n] = strdup(LD_CACHE);
    }

    return libs;
}
