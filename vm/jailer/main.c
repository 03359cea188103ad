#include <linux/close_range.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "vm/jailer/jailer.h"
#include "vm/vmm/api.h"


/* nothing of the caller's reaches the jail but the standard streams */
static void
shed(void)
{
    (void) syscall(SYS_close_range, STDERR_FILENO + 1, ~0u,
                   CLOSE_RANGE_UNSHARE);
    (void) clearenv();
}


/* _exit: a process whose root is the jail has no /proc, which what runs at
 * exit may want */
static void
refuse(const fcf_err_t *err)
{
    fflush(stdout);
    fprintf(stderr, "%s\nError: %s\n", err->msg, fcf_code_name(err->code));
    _exit(1);
}


int
main(int argc, char **argv)
{
    fcf_err_t               err;
    static fcv_jail_t       jail;
    static fcv_jail_args_t  args;

    jail.start_us = fcv_jail_us(CLOCK_MONOTONIC);
    jail.start_cpu_us = fcv_jail_us(CLOCK_PROCESS_CPUTIME_ID);
    shed();

    if (fcv_jail_args(&args, argc, argv, &err) != 0) {
        refuse(&err);
    }

    if (args.help) {
        fcv_jail_help();
        return 0;
    }

    if (args.version) {
        printf("Jailer v" FCV_VERSION "\nThis is fcfaas' stand-in for it.\n");
        return 0;
    }

    if (fcv_jail_check(&jail, &args, &err) != 0
        || fcv_jail_run(&jail, &err) != 0)
    {
        refuse(&err);
    }

    _exit(0);
}
