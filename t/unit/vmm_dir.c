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


/* a VM whose agent was killed: its process and directory are all that is
 * known */
static void
test_reclaim(void)
{
    int        fd;
    char       path[256], text[64];
    pid_t      pid, other;
    siginfo_t  info;

    pid = fork();
    if (pid == 0) {
        for ( ;; ) {
            pause();
        }
    }

    other = fork();
    if (other == 0) {
        for ( ;; ) {
            pause();
        }
    }

    snprintf(path, sizeof(path), "%s/node-1-7", state_dir);
    mkdir(path, 0700);
    ok(fca_vmm_pid_write(path, pid, NULL) == 0, "pid written");

    /* the pid is somebody else's by now */
    snprintf(path, sizeof(path), "%s/node-1-8", state_dir);
    mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/node-1-8/pid", state_dir);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    snprintf(text, sizeof(text), "%d %llu\n", (int) other,
             fca_proc_start_time(other) - 1);
    ok(write(fd, text, strlen(text)) > 0, "a stale pid file");
    close(fd);

    /* a trial boot's, before its process */
    snprintf(path, sizeof(path), "%s/trial", state_dir);
    mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/trial/pid", state_dir);
    close(open(path, O_WRONLY | O_CREAT, 0600));

    /* killed between mkdir and the pid file; and what is not ours */
    snprintf(path, sizeof(path), "%s/node-1-9", state_dir);
    mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/images", state_dir);
    mkdir(path, 0700);

    is_int(fca_vmm_reclaim(state_dir, NULL), 1, "one process reclaimed");
    is_int(waitid(P_PID, (id_t) pid, &info, WEXITED | WNOHANG), 0, "reaped");
    is_int(info.si_status, SIGKILL, "it was killed");
    is_int(kill(other, 0), 0, "a process with another start time lives");

    snprintf(path, sizeof(path), "%s/images", state_dir);
    is_int(rmdir(path), 0, "other directories stay");
    is_int(rmdir(state_dir), 0, "nothing else is left");
    mkdir(state_dir, 0700);

    kill(other, SIGKILL);
    waitpid(other, NULL, 0);

    is_int(fca_vmm_reclaim("/nonexistent/state", NULL), 0,
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
