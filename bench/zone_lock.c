/*
 * What the zone costs a request (one fcz_bind(), one fcz_release()), by
 * processes: in CPU, over the same loop without it.  First one request after
 * the other, then with work of 20 us between, as in a busy gateway; then the
 * same while another of the process is in the instance, whose place it takes.
 */

#include "ngx_fcfaas_module/zone/fcz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>


#define SLOTS   1000
#define ROUNDS     9


static fcz_t     *zone;
static uint64_t  *spent;        /* ns of CPU, by process */
static unsigned   another;      /* is inside, all the time */


static uint64_t
cpu(void)
{
    struct rusage  u;

    (void) getrusage(RUSAGE_SELF, &u);

    return (uint64_t) (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000
           + (uint64_t) (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000;
}


__attribute__((noinline))
static void
work(unsigned us)
{
    unsigned           i;
    volatile unsigned  x = 0;

    for (i = 0; i < us * 500; i++) {
        x = x + i;
    }
}


static void
worker(int k, unsigned n, unsigned us, unsigned with)
{
    char          name[16];
    unsigned      i, j;
    uint64_t      start;
    fcz_key_t     key;
    fcz_pool_t    pool;
    fcz_slot_t   *slots;
    fcz_member_t  m;

    slots = malloc(SLOTS * sizeof(fcz_slot_t));

    if (slots == NULL || fcz_join(&m, zone) == -1) {
        _exit(1);
    }

    fcz_key(zone, &key, "f", "");
    fcz_pool_init(&pool, &key);

    for (i = 0; i < SLOTS; i++) {
        (void) snprintf(name, sizeof(name), "n1-%u", i);
        fcz_key(zone, &key, "f", name);
        fcz_slot_init(&slots[i], &pool, &key);

        if (another) {
            (void) fcz_bind(&m, &slots[i], 0, &(uint64_t) { 0 }, 1);
            (void) fcz_bind(&m, &slots[i], 0, &(uint64_t) { 0 }, 1);
            fcz_release(&m, &slots[i]);
        }
    }

    start = cpu();

    for (i = 0; i < n; i++) {
        j = (unsigned) (i * 7 + (unsigned) k * 31) % SLOTS;

        if (with) {
            (void) fcz_bind(&m, &slots[j], 0, &(uint64_t) { 0 }, 1);
        }

        work(us);

        if (with) {
            fcz_release(&m, &slots[j]);
        }
    }

    spent[k] = cpu() - start;

    fcz_leave(&m);
    _exit(0);
}


/* ns of CPU for one request, over all processes */
static double
run(int nprocs, unsigned n, unsigned us, unsigned with)
{
    int       k;
    uint64_t  sum;

    for (k = 0; k < nprocs; k++) {
        if (fork() == 0) {
            worker(k, n, us, with);
        }
    }

    while (wait(NULL) > 0) { /* void */ }

    for (k = 0, sum = 0; k < nprocs; k++) {
        sum += spent[k];
    }

    return (double) sum / nprocs / n;
}


static int
compare(const void *a, const void *b)
{
    double  x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}


static double
median(int nprocs, unsigned n, unsigned us)
{
    int     i;
    double  ns[ROUNDS];

    for (i = 0; i < ROUNDS; i++) {
        ns[i] = run(nprocs, n, us, 1) - run(nprocs, n, us, 0);
    }

    qsort(ns, ROUNDS, sizeof(double), compare);

    return ns[ROUNDS / 2];
}


int
main(void)
{
    int     nprocs;
    void   *mem;
    size_t  size;

    size = fcz_size(10000);
    mem = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS,
               -1, 0);
    spent = mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS,
                 -1, 0);

    zone = mem == MAP_FAILED || spent == MAP_FAILED
           ? NULL : fcz_create(mem, size, NULL);

    if (zone == NULL) {
        perror("zone");
        return 1;
    }

    printf("a zone for 10000 instances has %.1f MiB\n",
           (double) size / 1048576);
    printf("%-10s %22s %22s %22s %22s\n", "processes", "ns a request, at once",
           "20 us between", "one inside, at once", "20 us between");

    for (nprocs = 1; nprocs <= 16; nprocs *= 2) {
        printf("%-10d", nprocs);

        for (another = 0; another < 2; another++) {
            printf(" %22.0f",
                   median(nprocs, 400000u / (unsigned) nprocs, 0));
            printf(" %22.0f",
                   median(nprocs, 40000u / (unsigned) nprocs, 20));
        }

        printf("\n");
        (void) fflush(stdout);
    }

    return 0;
}
