#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "vm/guest.h"
#include "vm/init/trial.h"


int
fcv_trial_kind(void)
{
    int      fd;
    char     line[4096], *rest, *word;
    ssize_t  n;

    fd = open("/proc/cmdline", O_RDONLY|O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }

    n = read(fd, line, sizeof(line) - 1);
    close(fd);
    line[n > 0 ? n : 0] = '\0';

    rest = line;

    while ((word = strsep(&rest, " \n")) != NULL) {
        if (strcmp(word, FCV_TRIAL_ALONE) == 0) {
            return 1;
        }

        if (strcmp(word, FCV_TRIAL_WHOLE) == 0) {
            return 2;
        }
    }

    return 0;
}
