/* agent/vmm/snaps*.c: what is kept, found, bounded, checked
 * and dropped. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "agent/vmm/snaps.h"
#include "t/unit/tap.h"

static uv_loop_t     uv;
static fca_snaps_t  *snaps;
static char          dir[] = "/tmp/fcf-snaps-XXXXXX", vm[64], store[64];


static void
keys(void)
{
    char        a[FCA_DIGEST + 1], b[FCA_DIGEST + 1];
    const char *one[] = { "x", "1 kernel", "cpu", NULL };
    const char *other[] = { "x", "1 kernel", "CPU", NULL };
    const char *shifted[] = { "x1", " kernel", "cpu", NULL };

    fca_snap_key(a, one);
    fca_snap_key(b, one);
    is_str(a, b, "the same is the same");
    fca_snap_key(b, other);
    ok(strcmp(a, b) != 0, "another CPU is another snapshot");
    fca_snap_key(b, shifted);
    ok(strcmp(a, b) != 0, "parts are told apart");
}


static void
spew(const char *name, off_t size, const char *text)
{
    int   fd;
    char  path[128];

    snprintf(path, sizeof(path), "%s/%s", vm, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ok(fd >= 0 && ftruncate(fd, size) == 0
       && pwrite(fd, text, strlen(text), size / 2) > 0, "a file of a VM");
    close(fd);
}


static void
kept(void *arg, const fcf_err_t *err)
{
    *(int *) arg = err ? -1 : 1;
}


/* key: 64 of this digit */
static fca_snap_id_t
id_of(char digit, int64_t version)
{
    fca_snap_id_t  id = { .function_id = "f", .version = version };

    memset(id.key, digit, FCA_DIGEST);

    return id;
}


static void
add(fca_snap_id_t id)
{
    int                fd, how = 0;
    fcf_err_t          err;
    fca_snap_origin_t  origin = { .vmm_version = "1.16.0", .boot_ms = 7 };

    origin.address.s_addr = htonl(0xac100005);
    fd = open(vm, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ok(fca_snaps_begin(snaps, &id, &err) == 0, "one is being made");
    ok(!fca_snaps_lacks(snaps, id.key), "no other begins");
    ok(fca_snaps_add(snaps, &id, fd, &origin, kept, &how, &err) == 0
       && how == 0, "it is not kept at once");

    while (how == 0) {
        uv_run(&uv, UV_RUN_ONCE);
    }

    is_int(how, 1, "it is kept");
    close(fd);
}


static void
again(uint64_t max)
{
    fcf_err_t         err;
    fca_snaps_stat_t  counts;

    if (snaps) {
        uv_run(&uv, UV_RUN_DEFAULT);
        fca_snaps_free(snaps);
    }

    snaps = fca_snaps_new(&uv, store, max, &err);
    ok(snaps != NULL, "the store is open");
    uv_run(&uv, UV_RUN_DEFAULT);
    fca_snaps_stat(snaps, &counts);
    is_int((int) counts.unchecked, 0, "all that was there is checked");
}


static void
life(void)
{
    struct stat       st;
    fca_snap_t        found;
    fcf_spec_t        spec;
    fca_snap_id_t     a = id_of('a', 1), b = id_of('b', 2);
    fca_snaps_stat_t  counts;

    spew(FCA_SNAP_STATE, 4096, "state");
    spew(FCA_SNAP_MEMORY, 64 << 20, "memory");
    again(1u << 30);
    ok(!fca_snaps_find(snaps, a.key, &found) && fca_snaps_lacks(snaps, a.key),
       "there is none");
    add(a);
    add(b);
    ok(fca_snaps_find(snaps, a.key, &found), "there is one");
    is_str(found.origin.vmm_version, "1.16.0", "of which VMM");
    is_int((int) found.origin.boot_ms, 7, "and how long it booted");
    ok(stat(found.memory, &st) == 0 && st.st_size == 64 << 20
       && st.st_blocks < 2048 && (st.st_mode & 07777) == 0444,
       "its memory is sparse, and not written to");

    again(1u << 30);
    ok(fca_snaps_find(snaps, a.key, &found)
       && fca_snaps_find(snaps, b.key, &found)
       && found.origin.address.s_addr == htonl(0xac100005), "both are found again");

    fcf_spec_default(&spec);
    spec.version = 2;
    fca_snaps_prune(snaps, "g", NULL);
    fca_snaps_prune(snaps, "f", &spec);
    ok(!fca_snaps_find(snaps, a.key, &found)
       && fca_snaps_find(snaps, b.key, &found), "one goes with its version");

    ok(!fca_snaps_failed(snaps, b.key), "a first failure");
    ok(fca_snaps_failed(snaps, b.key), "the second drops it");
    ok(!fca_snaps_find(snaps, b.key, &found)
       && !fca_snaps_lacks(snaps, b.key), "and none is made again");

    again(1);
    ok(fca_snaps_lacks(snaps, b.key), "but by the next agent");
    add(a);
    fca_snaps_stat(snaps, &counts);
    is_int((int) counts.n, 0, "one that is too large for all is not kept");
}


static void
damage(void)
{
    int            fd;
    char           path[PATH_MAX + 32];
    fca_snap_t     found;
    fca_snap_id_t  a = id_of('c', 1);

    again(1u << 30);
    add(a);
    ok(fca_snaps_find(snaps, a.key, &found), "one that is well");
    chmod(found.memory, 0600);
    fd = open(found.memory, O_WRONLY | O_CLOEXEC);
    ok(fd >= 0 && pwrite(fd, "x", 1, 1000) == 1, "one byte of it is another");
    close(fd);
    snprintf(path, sizeof(path), "%s/.new-x", store);
    mkdir(path, 0700);

    again(1u << 30);
    ok(!fca_snaps_find(snaps, a.key, &found), "it is not used");
    uv_run(&uv, UV_RUN_DEFAULT);
    ok(access(path, F_OK) != 0, "nor is what was not written to its end");
    snprintf(path, sizeof(path), "%s/%s", store, a.key);
    ok(access(path, F_OK) != 0, "both are removed");
}


int
main(void)
{
    char  command[128];

    if (mkdtemp(dir) == NULL || uv_loop_init(&uv) != 0) {
        return 1;
    }

    snprintf(vm, sizeof(vm), "%s/vm", dir);
    snprintf(store, sizeof(store), "%s/store", dir);
    mkdir(vm, 0700);

    keys();
    life();
    damage();

    uv_run(&uv, UV_RUN_DEFAULT);
    fca_snaps_free(snaps);
    is_int(uv_loop_close(&uv), 0, "the loop is empty");
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    ok(system(command) == 0, "gone");

    return tap_done();
}
