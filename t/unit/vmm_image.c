/*
 * Images are looked for where it does not matter how long that takes.  This
 * program has the C library's stat() and opendir() to itself: it sees who
 * calls them, and holds them as a file system does that has gone away.
 */

#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/vmm/image.h"
#include "t/unit/tap.h"

typedef struct {
    int        done;
    fcf_err_t  err;             /* code FCF_OK: found */
    char       function[64];
    char       files[FCA_IMAGES_FILES];
} look_t;

static pthread_t        loop_thread;
static int              on_loop;        /* calls on the loop's thread */
static int              gate[2], held;
static pthread_mutex_t  mutex = PTHREAD_MUTEX_INITIALIZER;
static unsigned         inside, most;   /* threads that look */
static char             dir[] = "/tmp/fcfaas-image-XXXXXX";
static char             functions[64], runtimes[64];
static uv_loop_t        uv;
static fca_conf_t       conf;
static fca_looker_t    *looker;


static void
seen(void)
{
    char  c;

    on_loop += pthread_equal(pthread_self(), loop_thread) != 0;

    pthread_mutex_lock(&mutex);
    most = ++inside > most ? inside : most;
    pthread_mutex_unlock(&mutex);

    if (held && read(gate[0], &c, 1) != 1) {
        abort();
    }

    pthread_mutex_lock(&mutex);
    inside--;
    pthread_mutex_unlock(&mutex);
}


int
stat(const char *restrict path, struct stat *restrict st)
{
    static int  (*real)(const char *, struct stat *);

    if (real == NULL) {
        *(void **) &real = dlsym(RTLD_NEXT, "stat");
    }

    if (strncmp(path, dir, sizeof(dir) - 1) == 0) {
        seen();
    }

    return real(path, st);
}


DIR *
opendir(const char *path)
{
    static DIR  *(*real)(const char *);

    if (real == NULL) {
        *(void **) &real = dlsym(RTLD_NEXT, "opendir");
    }

    if (strncmp(path, dir, sizeof(dir) - 1) == 0) {
        seen();
    }

    return real(path);
}


static void
done(void *arg, const fca_images_t *images, const fcf_err_t *err)
{
    look_t  *look = arg;

    look->done++;
    look->err.code = FCF_OK;

    if (err) {
        look->err = *err;
    } else {
        snprintf(look->function, sizeof(look->function), "%s",
                 images->function[0] ? strrchr(images->function, '/') : "");
        memcpy(look->files, images->files, sizeof(look->files));
    }
}


static fca_image_look_t *
look(look_t *out, const char *function_id, const char *runtime)
{
    fcf_err_t          err;
    fcf_spec_t         spec;
    fca_image_look_t  *l;

    memset(out, 0, sizeof(*out));
    fcf_spec_default(&spec);
    snprintf(spec.runtime, sizeof(spec.runtime), "%s", runtime);

    l = fca_images_look(looker, function_id, &spec, NULL, done, out, &err);
    if (l == NULL) {
        done(out, NULL, &err);
    }

    return l;
}


static void
any(look_t *out)
{
    fcf_err_t  err;

    memset(out, 0, sizeof(*out));

    if (fca_images_look_any(looker, done, out, &err) == NULL) {
        done(out, NULL, &err);
    }

    uv_run(&uv, UV_RUN_DEFAULT);
}


static void
image(const char *where, const char *name)
{
    char   path[160];
    FILE  *f;

    snprintf(path, sizeof(path), "%s/%s.img", where, name);
    f = fopen(path, "w");
    fputs("x", f);
    fclose(f);
}


static void
test_found(void)
{
    look_t  l, second;

    look(&l, "there", "base");
    is_int(l.done, 0, "never before the call returns");
    uv_run(&uv, UV_RUN_DEFAULT);
    is_int(l.done, 1, "then once");
    is_str(l.function, "/there.img", "found");

    look(&l, "nowhere", "base");
    look(&second, "there", "none");
    uv_run(&uv, UV_RUN_DEFAULT);
    is_int(l.err.code, FCF_E_NOT_FOUND, "%s", l.err.msg);
    ok(strstr(l.err.msg, "function image ") && strstr(l.err.msg, "nowhere"),
       "says which");
    is_int(second.err.code, FCF_E_NOT_FOUND, "%s", second.err.msg);
    ok(strstr(second.err.msg, "runtime image "), "of the two");

    any(&l);
    is_str(l.function, "/base.img", "some runtime");
}


/* what a VM is made of, for its snapshot: another file at the same path is
 * another */
static void
test_files(void)
{
    int     i;
    char    vmm[80], kernel[80], aside[84];
    look_t  before, after;

    const char *const  paths[] = { vmm, kernel };

    image(dir, "vmm");
    image(dir, "kernel");
    snprintf(vmm, sizeof(vmm), "%s/vmm.img", dir);
    snprintf(kernel, sizeof(kernel), "%s/kernel.img", dir);
    conf.vmm = vmm;
    conf.kernel = kernel;
    conf.snapshots = 1;

    look(&before, "there", "base");
    uv_run(&uv, UV_RUN_DEFAULT);
    look(&after, "there", "base");
    uv_run(&uv, UV_RUN_DEFAULT);
    ok(before.files[0] != '\0', "the files are told");
    is_str(after.files, before.files, "the same twice");

    for (i = 0; i < 2; i++) {
        snprintf(aside, sizeof(aside), "%s-", paths[i]);
        rename(paths[i], aside);
        image(dir, i == 0 ? "vmm" : "kernel");
        look(&after, "there", "base");
        uv_run(&uv, UV_RUN_DEFAULT);
        ok(strcmp(after.files, before.files) != 0, "another %s is seen",
           i == 0 ? "VMM" : "kernel");
        before = after;
    }

    conf.vmm = conf.kernel = NULL;
    conf.snapshots = 0;
}


static void
test_dirs(void)
{
    char    aside[80];
    look_t  l;

    snprintf(aside, sizeof(aside), "%s-", functions);
    rename(functions, aside);

    look(&l, "there", "base");
    uv_run(&uv, UV_RUN_DEFAULT);
    is_int(l.err.code, FCF_E_SYSTEM, "%s", l.err.msg);
    ok(strstr(l.err.msg, "functions = "), "the place itself is gone");

    any(&l);
    is_int(l.err.code, FCF_E_SYSTEM, "%s", l.err.msg);

    rename(aside, functions);

    rename(runtimes, aside);
    mkdir(runtimes, 0700);
    any(&l);
    is_int(l.err.code, FCF_OK, "none at all is no error");
    is_str(l.function, "", "and none is told");
    rmdir(runtimes);
    rename(aside, runtimes);
}


static void
tick(uv_timer_t *timer)
{
    ++*(int *) timer->data;
    uv_close((uv_handle_t *) timer, NULL);
}


/* one loop's turn that needs no worker */
static void
turn(void)
{
    int         ticks = 0;
    uv_timer_t  timer;

    uv_timer_init(&uv, &timer);
    timer.data = &ticks;
    uv_timer_start(&timer, tick, 0, 0);

    while (ticks == 0 || uv_is_closing((uv_handle_t *) &timer) == 0) {
        uv_run(&uv, UV_RUN_ONCE);
    }

    uv_run(&uv, UV_RUN_NOWAIT);
    is_int(ticks, 1, "the loop goes on");
}


static void
release(unsigned n)
{
    while (n--) {
        if (write(gate[1], "g", 1) != 1) {
            abort();
        }
    }
}


/* the file system has gone away */
static void
test_held(void)
{
    look_t             first, second, third;
    fca_image_look_t  *l;

    held = 1;
    most = 0;
    look(&first, "there", "base");
    l = look(&second, "there", "base");
    look(&third, "there", "base");

    turn();
    is_int(first.done + second.done + third.done, 0, "nobody is told");
    fca_image_look_drop(l);

    release(6);
    uv_run(&uv, UV_RUN_DEFAULT);
    is_int(first.done, 1, "until it is back");
    is_int(third.done, 1, "all of them");
    is_int(second.done, 0, "but who does not wait any more");
    is_int(most, 1, "one thread was held by it");

    look(&first, "there", "base");
    turn();
    fca_looker_free(looker);
    release(2);
    uv_run(&uv, UV_RUN_DEFAULT);
    is_int(first.done, 0, "nor who waits at the end");
}


static void
prepare(void)
{
    fcf_err_t  err;

    loop_thread = pthread_self();
    uv_loop_init(&uv);

    if (mkdtemp(dir) == NULL || pipe(gate) != 0) {
        perror(dir);
        exit(1);
    }

    snprintf(functions, sizeof(functions), "%s/f", dir);
    snprintf(runtimes, sizeof(runtimes), "%s/r", dir);
    mkdir(functions, 0700);
    mkdir(runtimes, 0700);
    image(functions, "there");
    image(runtimes, "base");

    conf.functions = functions;
    conf.runtimes = runtimes;
    looker = fca_looker_new(&uv, &conf, NULL, NULL, &err);
}


int
main(void)
{
    char  command[64];

    prepare();
    test_found();
    test_files();
    test_dirs();
    test_held();
    is_int(on_loop, 0, "nothing of it is done on the loop's thread");
    is_int(uv_loop_close(&uv), 0, "and nothing is left on the loop");

    snprintf(command, sizeof(command), "rm -r %s", dir);
    ok(system(command) == 0, "removed");

    return tap_done();
}
