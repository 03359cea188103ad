#include <sys/resource.h>
#include "agent/base/files.h"


unsigned
fca_files_raise(void)
{
    struct rlimit  rl;

    if (getrlimit(RLIMIT_NOFILE, &rl) == -1) {
        return FCA_FILES_MAX;
    }

    if (rl.rlim_cur < rl.rlim_max) {
        rl.rlim_cur = rl.rlim_max;

        if (setrlimit(RLIMIT_NOFILE, &rl) == -1) {
            (void) getrlimit(RLIMIT_NOFILE, &rl);
        }
    }

    return rl.rlim_cur < FCA_FILES_MAX ? (unsigned) rl.rlim_cur
                                       : FCA_FILES_MAX;
}
