/* The images of runtimes: are they whole, and which are they? */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "agent/check_int.h"
#include "agent/images/cache.h"
#include "agent/images/whole.h"

/* why it is of no use; NULL: its digest is told */
static const char *
fca_check_image(const char *path, char *sha256, fcf_err_t *err)
{
    struct stat  st;

    if (stat(path, &st) != 0 || access(path, R_OK) != 0) {
        return strerror(errno);
    }

    if (!S_ISREG(st.st_mode)) {
        return "not a regular file";
    }

    if (st.st_size == 0) {
        return "an empty file";
    }

    return fca_image_whole_at(path, err) != 0
           || fca_image_digest(path, sha256, err) != 0 ? err->msg : NULL;
}

static int
fca_check_one(fca_check_t *check, const fca_conf_t *conf, const char *name)
{
    char         path[4096], sha256[FCA_DIGEST + 1];
    fcf_err_t    err;
    const char  *why;

    snprintf(path, sizeof(path), "%s/%s", conf->runtimes, name);
    why = fca_check_image(path, sha256, &err);

    if (why) {
        fca_check_say(check, "runtime", "put the runtime images there (make "
                      "builds them below build/vm/runtimes)", "%s: %s", path,
                      why);
        return -1;
    }

    fca_check_say(check, "runtime", NULL, "%s (%.12s...)", path, sha256);

    return 0;
}

/* Base first, which a spec has if it names none.  The digest tells whether
 * nodes have the same. */
void
fca_check_runtimes(fca_check_t *check, const fca_conf_t *conf)
{
    DIR            *dir;
    size_t          n;
    struct dirent  *entry;

    if (fca_check_one(check, conf, "base.img") != 0) {
        return;
    }

    dir = opendir(conf->runtimes);

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        n = strlen(entry->d_name);

        if (n > 4 && strcmp(entry->d_name + n - 4, ".img") == 0
            && strcmp(entry->d_name, "base.img") != 0)
        {
            (void) fca_check_one(check, conf, entry->d_name);
        }
    }

    if (dir != NULL) {
        closedir(dir);
    }
}
