#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/progress.h"

#define FCC_SAID_MAX    512
#define FCC_TREE_FDS    32
#define FCC_LOOK_MS     100
#define FCC_NO_PROGRAM  127             /* as shells say it */

static volatile sig_atomic_t  fcc_signal;


/* the last two lines of what comes: often the first says why, and the other
 * what came of it */
typedef struct {
    char  before[FCC_SAID_MAX], line[FCC_SAID_MAX];
} fcc_last_t;


static void
fcc_last_line(void *arg, char *text)
{
    fcc_last_t  *last = arg;

    if (*text != '\0') {
        memcpy(last->before, last->line, sizeof(last->before));
        (void) snprintf(last->line, sizeof(last->line), "%s", text);
    }
}


static void
fcc_exec(const char *const *argv, int in, int out, int said)
{
    int  null, status;

    null = open("/dev/null", O_RDWR);

    (void) signal(SIGPIPE, SIG_DFL);
    (void) dup2(in >= 0 ? in : null, STDIN_FILENO);
    (void) dup2(out >= 0 ? out : null, STDOUT_FILENO);
    (void) dup2(said, STDERR_FILENO);

    /* would be in the way of the times that we give */
    (void) unsetenv("SOURCE_DATE_EPOCH");

    (void) execvp(argv[0], (char *const *) argv);

    status = errno == ENOENT ? FCC_NO_PROGRAM : FCC_NO_PROGRAM - 1;
    (void) dprintf(STDERR_FILENO, "cannot be run: %s\n", strerror(errno));
    _exit(status);
}


/* how it ended, with its last words */
static int
fcc_command_end(pid_t pid, const char *name, const char *said,
    fcf_err_t *err)
{
    int  status;

    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) { /* void */ }

    if (fcc_interrupted(err) != 0) {
        return -1;
    }

    return (WIFEXITED(status) && WEXITSTATUS(status) == 0) ? 0
           : fcf_err_set(err, WIFEXITED(status)
                         && WEXITSTATUS(status) == FCC_NO_PROGRAM
                         ? FCF_E_NOT_FOUND : FCF_E_REFUSED, "%s: %s", name,
                         *said != '\0' ? said : "failed");
}


/* what it says can be read from *fd: all of it, or its errors alone; in: its
 * standard input, or -1 */
static pid_t
fcc_command_begin(const char *const *argv, int in, int all, int *fd,
    fcf_err_t *err)
{
    int    fds[2];
    pid_t  pid;

    if (pipe2(fds, O_CLOEXEC) != 0) {
        return fcf_err_sys(err, errno, "pipe");
    }

    pid = fork();

    if (pid == 0) {
        fcc_exec(argv, in, all ? fds[1] : -1, fds[1]);
    }

    (void) close(fds[1]);

    if (pid < 0) {
        (void) close(fds[0]);
        return fcf_err_sys(err, errno, "fork");
    }

    *fd = fds[0];

    return pid;
}


static void
fcc_each_line(int fd, void (*line)(void *arg, char *text), void *arg)
{
    char    *text;
    FILE    *in;
    size_t   size;

    text = NULL;
    size = 0;
    in = fdopen(fd, "r");

    while (in != NULL && getline(&text, &size, in) > 0) {
        text[strcspn(text, "\r\n")] = '\0';
        line(arg, text);
    }

    free(text);

    if (in != NULL) {
        (void) fclose(in);
    } else {
        (void) close(fd);
    }
}


int
fcc_command_lines(const char *const *argv,
    void (*line)(void *arg, char *text), void *arg, fcf_err_t *err)
{
    int    fd;
    pid_t  pid;

    pid = fcc_command_begin(argv, -1, 1, &fd, err);

    if (pid < 0) {
        return -1;
    }

    fcc_each_line(fd, line, arg);

    return fcc_command_end(pid, argv[0], "", err);
}


/* until it says something, or ends */
static void
fcc_watch(int fd, const char *out, fcc_progress_t *progress)
{
    struct stat    st;
    struct pollfd  wait = { .fd = fd, .events = POLLIN };

    while (poll(&wait, 1, FCC_LOOK_MS) == 0) {
        if (stat(out, &st) == 0) {
            fcc_progress(progress, st.st_size);
        }
    }
}


/* in: its standard input, or -1 */
static int
fcc_command_in(const char *const *argv, int in, const char *out,
    fcc_progress_t *progress, fcf_err_t *err)
{
    int          fd;
    char         said[FCC_SAID_MAX];
    pid_t        pid;
    fcc_last_t   last;

    pid = fcc_command_begin(argv, in, 0, &fd, err);

    if (pid < 0) {
        return -1;
    }

    if (out != NULL) {
        fcc_watch(fd, out, progress);
    }

    memset(&last, 0, sizeof(last));
    fcc_each_line(fd, fcc_last_line, &last);

    (void) snprintf(said, sizeof(said), "%.200s%s%.200s", last.before,
                    last.before[0] != '\0' ? "; " : "", last.line);

    return fcc_command_end(pid, argv[0], said, err);
}


int
fcc_command(const char *const *argv, fcf_err_t *err)
{
    return fcc_command_in(argv, -1, NULL, NULL, err);
}


int
fcc_command_makes(const char *const *argv, const char *in, const char *out,
    const char *what, int64_t size, fcf_err_t *err)
{
    int             fd, rc;
    fcc_progress_t  progress;

    fd = in != NULL ? open(in, O_RDONLY | O_CLOEXEC) : -1;

    if (in != NULL && fd < 0) {
        return fcf_err_sys(err, errno, "%s", in);
    }

    fcc_progress_begin(&progress, what, size);
    rc = fcc_command_in(argv, fd, out, &progress, err);
    fcc_progress_end(&progress, rc == 0);

    if (fd >= 0) {
        (void) close(fd);
    }

    return rc;
}


char *
fcc_join(const char *dir, const char *name)
{
    char  *path;

    return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}


char *
fcc_temp_dir(fcf_err_t *err)
{
    char        *path;
    const char  *tmp;

    tmp = getenv("TMPDIR");
    path = fcc_join(tmp != NULL && *tmp != '\0' ? tmp : "/tmp",
                    "fcfaas-XXXXXX");

    if (path == NULL || mkdtemp(path) == NULL) {
        fcf_err_sys(err, errno, "a directory in TMPDIR");
        free(path);
        return NULL;
    }

    return path;
}


static int
fcc_remove_one(const char *path, const struct stat *st, int type,
    struct FTW *ftw)
{
    (void) st;
    (void) ftw;

    (void) (type == FTW_DP || type == FTW_D || type == FTW_DNR
            ? rmdir(path) : unlink(path));

    return 0;
}


void
fcc_remove_tree(const char *path)
{
    if (path != NULL) {
        (void) nftw(path, fcc_remove_one, FCC_TREE_FDS, FTW_DEPTH | FTW_PHYS);
    }
}


static void
fcc_on_signal(int number)
{
    fcc_signal = number;
}


void
fcc_catch_signals(void)
{
    struct sigaction  action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = fcc_on_signal;

    (void) sigaction(SIGINT, &action, NULL);
    (void) sigaction(SIGTERM, &action, NULL);
    (void) sigaction(SIGHUP, &action, NULL);
}


int
fcc_interrupted(fcf_err_t *err)
{
    return fcc_signal == 0 ? 0
           : fcf_err_set(err, FCF_E_REFUSED, "interrupted");
}


/* a signal between the look and the wait would not end the wait: none comes
 * but in it */
int
fcc_readable(int fd, fcf_err_t *err)
{
    int            n;
    sigset_t       held, before;
    struct pollfd  wait = { .fd = fd, .events = POLLIN };

    (void) sigfillset(&held);
    (void) sigprocmask(SIG_BLOCK, &held, &before);

    do {
        n = fcc_signal != 0 ? -1 : ppoll(&wait, 1, NULL, &before);
    } while (n < 0 && fcc_signal == 0 && errno == EINTR);

    (void) sigprocmask(SIG_SETMASK, &before, NULL);

    return fcc_interrupted(err);
}
