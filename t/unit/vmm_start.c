/* How a VMM is started, what it is given, and how it is given up. */

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "t/unit/vmm_run.h"


static void
test_versions(void)
{
    size_t     i;
    char       script[64];
    fct_run_t  run;

    static const char *const  good[] = { "1.14.0", "1.17.0-dev", "2.0",
                                         "1.100.3" };
    static const char *const  old[] = { "1.13.1", "1.9.0", "0.25.0" };
    static const char *const  bad[] = { "one", "1", "1.", "-1.14" };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        snprintf(script, sizeof(script), "version=%s", good[i]);
        fct_drive(&run, script, 'S');
        is_str(run.events, "SX", "version %s will do", good[i]);
        is_str(run.version, good[i], "and is known");
    }

    for (i = 0; i < sizeof(old) / sizeof(old[0]); i++) {
        snprintf(script, sizeof(script), "version=%s", old[i]);
        fct_drive(&run, script, 'S');
        is_str(run.events, "FX", "version %s is refused", old[i]);
        ok(strstr(run.words, " is version ") != NULL
           && strstr(run.words, old[i]) != NULL
           && strstr(run.words, "1.14 or later") != NULL, "by name: %s",
           run.words);
        is_int(run.blame, FCA_BLAME_HOST, "the host's fault");
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(script, sizeof(script), "version=%s", bad[i]);
        fct_drive(&run, script, 'S');
        is_str(run.events, "FX", "version \"%s\" is none", bad[i]);
    }

    fct_drive(&run, "version=none", 'S');
    is_str(run.events, "FX", "no version is none");
}


/* what the process is given, and nothing else */
static void
test_process(void)
{
    fct_run_t    run;
    char         want[1024];
    const char  *p;

    setenv("FCF_TEST_SECRET", "hunter2", 1);
    fct_drive(&run, "files", 'c');
    unsetenv("FCF_TEST_SECRET");

    p = run.requests;
    ok(strstr(p, "--api-sock api.sock --id node-1-7 --fake files --level Warn"
              "\nnofile ") == p, "its arguments; no environment");
    ok(strstr(p, "\nnofile 2048 2048\nfsize 67108864 67108864\ncore 0\n")
       != NULL, "its limits");

    snprintf(want, sizeof(want), "\nfd 0 /dev/null\nfd 1 nonblocking "
             "%s/node-1-7/vmm.log\nfd 2 nonblocking %s/node-1-7/vmm.log\n"
             "kernel there %s/vmlinux\ninitrd there %s/initrd\n"
             "runtime.img there %s/base.img\n"
             "function.img there %s/\"hello\".img\nconfig.img there \n",
             fct_state_dir, fct_state_dir, fct_images, fct_images, fct_images, fct_images);
    ok(strstr(p, want) != NULL, "its descriptors and files: %s", p);

    fct_args[2] = "--level";
    fct_args[3] = "Info";
    fct_drive(&run, "files", 'c');
    ok(strstr(run.requests, "--fake files --level Info\n") != NULL,
       "a level that was asked for");
    fct_args[2] = fct_args[3] = NULL;
}


/* a VMM that does not speak, or stops speaking */
static void
test_silence(void)
{
    fct_run_t  run;
    unsigned   before = fct_conf.answer_ms;

    fct_conf.answer_ms = 200;

    fct_drive(&run, "silent", 0);
    is_str(run.events, "FX", "no socket: failed");
    ok(strstr(run.words, ": no API socket after ") != NULL, "says so: %s",
       run.words);
    ok(run.ms >= 200 && run.ms < 20000, "in its time: %d ms", (int) run.ms);
    is_int(run.blame, FCA_BLAME_HOST, "the host's fault");

    /* what comes before must be in time, however busy the disk is */
    fct_conf.answer_ms = 2000;

    fct_drive(&run, "hang=/", 0);
    is_str(run.events, "FX", "a socket that does not answer: failed");
    ok(strstr(run.words, ": no answer to GET / after ") != NULL,
       "says so: %s", run.words);

    fct_drive(&run, "hang=/drives/config", 0);
    is_str(run.events, "SFX", "no answer to a call: failed");
    ok(strstr(run.words, ": no answer to PUT /drives/config after ") != NULL,
       "says which: %s", run.words);
    is_int(run.blame, FCA_BLAME_HOST, "the host's fault");

    fct_conf.answer_ms = before;
}


static void
test_files(void)
{
    fct_run_t       run;
    char            want[512];
    fca_nic_t       nic;
    fca_vmm_spec_t  spec;

    fct_spec(&spec, &nic);
    spec.function_image = fct_image("missing.img");
    fct_drive_spec(&run, &spec, "ok", 0);
    snprintf(want, sizeof(want), "function image %s/missing.img: No such file "
             "or directory", fct_images);
    is_str(run.words, want, "an image that is missing");
    is_int(run.blame, FCA_BLAME_HOST, "the host's fault");

    fct_conf.kernel = fct_image("missing");
    fct_drive(&run, "ok", 0);
    ok(strncmp(run.words, "kernel ", 7) == 0, "no kernel: %s", run.words);
    fct_conf.kernel = fct_kernel;
}


static void
test_no_program(void)
{
    fct_run_t    run;
    const char  *self = fct_conf.binary;

    fct_conf.binary = "/nonexistent/vmm";
    fct_drive(&run, "ok", 0);
    is_str(run.events, "FX", "no such program: failed, exited");
    is_str(run.words, "VMM /nonexistent/vmm: No such file or directory",
           "and says which");

    fct_conf.binary = "/etc/passwd";
    fct_drive(&run, "ok", 0);
    is_str(run.events, "FX", "not executable: failed, exited");
    is_str(run.words, "cannot run VMM /etc/passwd: Permission denied",
           "with the reason");

    fct_conf.binary = self;
}


/* longer than any socket's address, and the VM boots */
static void
test_long_path(void)
{
    char         dir[256], *p;
    fct_run_t    run;
    const char  *real = fct_conf.run_dir;

    p = dir + snprintf(dir, sizeof(dir), "%s/", fct_state_dir);
    memset(p, 'x', 150);
    p[150] = '\0';
    mkdir(dir, 0700);

    fct_conf.run_dir = dir;
    fct_drive(&run, "ok", 'B');
    is_str(run.events, "SCBX", "a fct_state_dir of %zu bytes", strlen(dir));
    rmdir(dir);
    fct_conf.run_dir = real;
}


static void
tests(void)
{
    test_versions();
    test_process();
    test_silence();
    test_files();
    test_no_program();
    test_long_path();
}


int
main(int argc, char **argv)
{
    return fct_vmm_main(argc, argv, tests);
}
