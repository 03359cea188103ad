/* The files of a VM, and what is left of one whose agent was killed. */

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/vmm/vmm_int.h"
#include "t/unit/tap.h"
#include "vm/guest.h"

static char  state_dir[] = "/tmp/fcfaas-vmm-XXXXXX";


static void
test_config_image(void)
{
    char       *image, *big;
    size_t      len;
    fcf_err_t   err;

    image = fca_vmm_config_image("{\"a\":1}", &len, NULL);
    is_int(len, 512, "one block");
    ok(memcmp(image, FCV_CONFIG_MAGIC "\0\0\0\7{\"a\":1}\0", 20) == 0,
       "magic, length, JSON, zeros");
    is_int(image[511], 0, "to the end");
    free(image);

    big = malloc(FCV_CONFIG_MAX + 2);
    memset(big, ' ', FCV_CONFIG_MAX + 1);
    big[FCV_CONFIG_MAX + 1] = '\0';
    ok(fca_vmm_config_image(big, &len, &err) == NULL
       && err.code == FCF_E_LIMIT, "too much is refused");

    big[500] = '\0';
    image = fca_vmm_config_image(big, &len, NULL);
    is_int(len, 512, "500 bytes fit into one block");
    free(image);

    big[500] = ' ';
    big[501] = '\0';
    image = fca_vmm_config_image(big, &len, NULL);
    is_int(len, 1024, "501 need two");
    free(image);
    free(big);
}


static pid_t
sleeper(void)
{
    pid_t  pid;

    pid = fork();

    if (pid == 0) {
        for ( ;; ) {
            pause();
        }
    }

    return pid;
}


/* state_dir/name with a pid file */
static int
vm_dir(const char *name)
{
    char  path[256];

    snprintf(path, sizeof(path), "%s/%s", state_dir, name);
    mkdir(path, 0700);

    return open(path, O_RDONLY | O_DIRECTORY);
}


static void
record(const char *name, pid_t pid, const char *program)
{
    int  fd;

    fd = vm_dir(name);
    ok(fca_vmm_pid_write(fd, pid, program, NULL) == 0, "%s: pid written",
       name);
    close(fd);
}


/* what the record says is changed, as if the pid were somebody else's now */
static void
forge(const char *name, pid_t pid, unsigned long long start, const char *rest)
{
    int   fd;
    char  text[160];

    fd = vm_dir(name);
    snprintf(text, sizeof(text), "%d %llu%s\n", (int) pid, start, rest);
    ok(fca_vmm_file_write(fd, FCA_VMM_PID, text, strlen(text), NULL) == 0,
       "%s: a stale pid file", name);
    close(fd);
}


/* a VM whose agent was killed: its process and directory are all that is
 * known */
static void
test_reclaim(void)
{
    int        fd;
    char       path[256];
    pid_t      pid, other;
    siginfo_t  info;

    unsigned long long  start;

    pid = sleeper();
    other = sleeper();

    /* its files, and a tree that a VMM made */
    record("node-1-7", pid, "/bin/true");
    fd = vm_dir("node-1-7");
    mkdirat(fd, "jail", 0700);
    mkdirat(fd, "jail/root", 0700);
    close(openat(fd, "jail/root/firecracker", O_WRONLY | O_CREAT, 0700));
    close(fd);

    /* the pid is somebody else's by now: another start time, another
     * program, or a record without one */
    start = fca_proc_start_time(other);
    forge("node-1-8", other, start - 1, " 1:1 1:1");
    forge("node-1-10", other, start, " 1:1 1:1");
    forge("node-1-11", other, start, "");
    forge("node-1-12", other, start, " 0:0 0:0");

    /* a trial boot's, before its process */
    forge("trial", 0, 0, "");

    /* one whose removal a kill cut short */
    fd = vm_dir(".gone-node-1-6");
    mkdirat(fd, "jail", 0700);
    close(openat(fd, FCA_VMM_CONFIG, O_WRONLY | O_CREAT, 0600));
    close(fd);

    /* killed between mkdir and the pid file; and what is not ours */
    close(vm_dir("node-1-9"));
    close(vm_dir("images"));

    is_int(fca_vmm_reclaim(state_dir, NULL, NULL, NULL), 1,
           "one process reclaimed");
    is_int(waitid(P_PID, (id_t) pid, &info, WEXITED | WNOHANG), 0, "reaped");
    is_int(info.si_status, SIGKILL, "it was killed");
    is_int(waitid(P_PID, (id_t) other, &info, WEXITED | WNOHANG | WNOWAIT), 0,
           "looked at");
    is_int(info.si_pid, 0, "a process that is not the recorded one lives");

    snprintf(path, sizeof(path), "%s/images", state_dir);
    is_int(rmdir(path), 0, "other directories stay");
    is_int(rmdir(state_dir), 0, "nothing else is left");
    mkdir(state_dir, 0700);

    kill(other, SIGKILL);
    waitpid(other, NULL, 0);

    is_int(fca_vmm_reclaim("/nonexistent/state", NULL, NULL, NULL), 0,
           "no state directory: nothing to reclaim");
}


int
main(void)
{
    if (mkdtemp(state_dir) == NULL) {
        return 1;
    }

    test_config_image();
    test_reclaim();
    is_int(rmdir(state_dir), 0, "no file is left");

    return tap_done();
}
