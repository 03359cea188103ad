/* Capacity, and the state directory. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "agent/base/capacity.h"
#include "agent/base/state.h"
#include "t/unit/tap.h"

static void
capacity(void)
{
    fcf_err_t       err;
    fca_capacity_t  c = { .cpu = 4, .memory_mb = 1000, .max_vms = 3,
                          .max_boots = 2 };

    fca_bounds_init(&c.bounds);

    is_int(fca_capacity_fit(&c, 5, 1), FCA_FITS_NEVER, "too many vCPUs");
    is_int(fca_capacity_fit(&c, 1, 1001), FCA_FITS_NEVER, "too much memory");
    is_int(fca_capacity_fit(&c, 4, 1000), FCA_FITS, "all of it");

    fca_capacity_take(&c, 3, 100);
    is_int(fca_capacity_fit(&c, 2, 1), FCA_FITS_LATER, "vCPUs are out");
    is_int(fca_capacity_fit(&c, 1, 901), FCA_FITS_LATER, "memory is out");
    is_int(fca_capacity_fit(&c, 1, 900), FCA_FITS, "the rest fits");

    fca_capacity_take(&c, 0, 100);
    is_int(fca_capacity_fit(&c, 0, 1), FCA_FITS_LATER, "two boots at once");
    fca_capacity_booted(&c);
    is_int(fca_capacity_fit(&c, 0, 1), FCA_FITS, "one booted");
    fca_capacity_take(&c, 0, 1);
    fca_capacity_booted(&c);
    fca_capacity_booted(&c);
    is_int(fca_capacity_fit(&c, 0, 1), FCA_FITS_LATER, "max_vms");

    fca_capacity_give(&c, 3, 100);
    fca_capacity_give(&c, 0, 100);
    fca_capacity_give(&c, 0, 1);
    is_int(c.cpu_used + c.memory_mb_used + c.vms + c.boots, 0, "all is back");

    is_int(fca_capacity_init(&c, 1, 2000000000, 1, 1, &err), -1,
           "a host that has nothing to give");
    ok(strstr(err.msg, "memory_reserve_mb = \"2000000000\""), "%s", err.msg);
}

static void
write_file(const char *dir, const char *name, const char *text)
{
    char   path[256];
    FILE  *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
}

static void
state(void)
{
    char         dir[64], path[128], top[] = "/tmp/fcf-state-XXXXXX";
    int          i;
    int64_t      leases[FCA_STATE_LEASES_MAX], two[] = { 5, INT64_MAX };
    uint64_t     n, last;
    fcf_err_t    err;
    fca_state_t  a, b;
    static const char *const  names[] = { "lock", "counter", "leases" };

    ok(mkdtemp(top) != NULL, "a directory");
    snprintf(dir, sizeof(dir), "%s/sub/agent", top);

    is_int(fca_state_open(&a, dir, &err), 0, "is made below");
    is_int(fca_state_open(&b, dir, &err), -1, "a second owner is refused");
    is_int(err.code, FCF_E_EXISTS, "as such");
    ok(strstr(err.msg, dir), "%s", err.msg);

    is_int(fca_state_number(&a, &n, &err), 0, "a number");
    is_int(n, 1, "the first");

    for (i = 0; i < 2500; i++) {
        last = n;
        if (fca_state_number(&a, &n, &err) != 0 || n != last + 1) {
            break;
        }
    }

    is_int(i, 2500, "over blocks, without a gap");

    is_int(fca_state_leases_load(&a, leases, FCA_STATE_LEASES_MAX), 0,
           "no lease");
    is_int(fca_state_leases_store(&a, two, 2, &err), 0, "two are noted");
    fca_state_close(&a);

    is_int(fca_state_open(&a, dir, &err), 0, "the next life");
    last = n;
    is_int(fca_state_number(&a, &n, &err), 0, "a number");
    ok(n > last, "that was never given");
    is_int(fca_state_leases_load(&a, leases, FCA_STATE_LEASES_MAX), 2,
           "the leases");
    ok(leases[0] == 5 && leases[1] == INT64_MAX, "as noted");
    write_file(dir, "leases", "7\nrubbish\n9\n");
    is_int(fca_state_leases_load(&a, leases, FCA_STATE_LEASES_MAX), 1,
           "rubbish ends the list");
    fca_state_close(&a);

    write_file(dir, "counter", "12");
    is_int(fca_state_open(&a, dir, &err), -1, "half a number is refused");
    ok(strstr(err.msg, "\"12\""), "%s", err.msg);
    write_file(dir, "counter", "");
    is_int(fca_state_open(&a, dir, &err), -1, "an empty file is refused");
    write_file(dir, "counter", "-5\n");
    is_int(fca_state_open(&a, dir, &err), -1, "and a number below 1");
    snprintf(path, sizeof(path), "%s/counter", dir);
    unlink(path);
    mkdir(path, 0700);
    is_int(fca_state_open(&a, dir, &err), -1, "and what cannot be read");
    ok(strstr(err.msg, "directory"), "%s", err.msg);
    rmdir(path);
    write_file(dir, "counter", "12");

    for (i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        unlink(path);
    }

    rmdir(dir);
    snprintf(path, sizeof(path), "%s/sub", top);
    rmdir(path);
    is_int(rmdir(top), 0, "nothing else was made");
}

int
main(void)
{
    capacity();
    state();

    return tap_done();
}
