/* Trees that are removed, and what they must leave alone. */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/tree.h"
#include "t/unit/tap.h"

static char  base[] = "/tmp/fcfaas-tree-XXXXXX";


static const char *
in(const char *name)
{
    static char  path[4][256];
    static int   n;

    n = (n + 1) % 4;
    snprintf(path[n], sizeof(path[n]), "%s/%s", base, name);

    return path[n];
}


static void
file(const char *name)
{
    close(open(in(name), O_WRONLY | O_CREAT, 0600));
}


static int
there(const char *name)
{
    struct stat  st;

    return lstat(in(name), &st) == 0;
}


static void
test_links(void)
{
    mkdir(in("keep"), 0700);
    file("keep/file");
    mkdir(in("vm"), 0700);
    mkdir(in("vm/empty"), 0700);
    mkdir(in("vm/jail"), 0700);
    file("vm/jail/kernel");
    mkfifo(in("vm/console"), 0600);
    file("vm/.up-0");
    ok(symlink(in("keep"), in("vm/link")) == 0
       && symlink(in("keep"), in("vm/jail/link")) == 0
       && symlink("nowhere", in("vm/dangling")) == 0
       && link(in("keep/file"), in("vm/hard")) == 0, "links");

    is_int(fca_tree_remove(in("vm"), NULL), 0, "a tree");
    ok(!there("vm"), "is gone whole");
    ok(there("keep/file"), "and what its links lead to is not");

    ok(symlink(in("keep"), in("vm")) == 0, "a link in its place");
    is_int(fca_tree_remove(in("vm"), NULL), -1, "is not followed");
    ok(there("keep/file"), "either");
    unlink(in("vm"));

    is_int(fca_tree_remove(in("vm"), NULL), 0, "nothing there is as good");
    file("vm");
    is_int(fca_tree_remove(in("vm"), NULL), -1, "a file is no tree");
    unlink(in("vm"));
}


/* as a VMM that was taken over could leave */
static void
test_deep(void)
{
    int            i, fd, next;
    struct rlimit  few = { 64, 64 };

    fd = open(base, O_RDONLY | O_DIRECTORY);

    for (i = 0; i < 3000; i++) {
        mkdirat(fd, "deep", 0700);
        close(openat(fd, "beside", O_WRONLY | O_CREAT, 0600));
        next = openat(fd, "deep", O_RDONLY | O_DIRECTORY);
        close(fd);
        fd = next;
    }

    close(fd);
    setrlimit(RLIMIT_NOFILE, &few);
    is_int(fca_tree_remove(in("deep"), NULL), 0,
           "3000 levels with 64 descriptors");
    ok(!there("deep"), "are gone");
    unlink(in("beside"));
}


static void
test_mount(void)
{
    fcf_err_t  err = { 0 };

    if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0
        || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
    {
        ok(1, "a mount # SKIP needs root");
        return;
    }

    mkdir(in("vm"), 0700);
    mkdir(in("vm/images"), 0700);
    file("vm/file");

    ok(mount(in("keep"), in("vm/images"), NULL, MS_BIND, NULL) == 0,
       "a directory of others bound in it");
    is_int(fca_tree_remove(in("vm"), &err), -1, "is an error");
    ok(strstr(err.msg, "removing ") != NULL, "with words: %s", err.msg);
    ok(there("keep/file"), "and is not entered");
    ok(!there("vm/file"), "what is beside it goes");

    umount2(in("vm/images"), MNT_DETACH);
    is_int(fca_tree_remove(in("vm"), NULL), 0, "without it all goes");
}


int
main(void)
{
    if (mkdtemp(base) == NULL) {
        return 1;
    }

    test_links();
    test_mount();
    test_deep();
    is_int(fca_tree_remove(in(""), NULL), 0, "the rest");

    return tap_done();
}
