#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "agent/vmm/image.h"

static int
fca_image_find(char *path, const char *what, const char *dir,
    const char *name, fcf_err_t *err)
{
    struct stat  st;

    if ((size_t) snprintf(path, PATH_MAX, "%s/%s.img", dir, name)
        >= PATH_MAX)
    {
        return fcf_err_set(err, FCF_E_LIMIT, "%s image \"%s\": path too long",
                           what, name);
    }

    if (stat(path, &st) != 0) {
        return fcf_err_set(err, FCF_E_NOT_FOUND, "%s image %s: %s", what,
                           path, strerror(errno));
    }

    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
        return fcf_err_set(err, FCF_E_NOT_FOUND, "%s image %s: is not a file",
                           what, path);
    }

    return 0;
}

int
fca_images_find(fca_images_t *out, const fca_conf_t *conf,
    const char *function_id, const fcf_spec_t *spec, fcf_err_t *err)
{
    const char  *name;

    name = spec->code_sha256[0] ? spec->code_sha256 : function_id;

    if (fca_image_find(out->function, "function", conf->functions, name, err)
        != 0)
    {
        return -1;
    }

    return fca_image_find(out->runtime, "runtime", conf->runtimes,
                          spec->runtime, err);
}

static int
fca_image_dir(const char *name, const char *path, fcf_err_t *err)
{
    DIR  *dir;

    dir = opendir(path);
    if (dir == NULL) {
        return fcf_err_sys(err, errno, "%s = \"%s\"", name, path);
    }

    closedir(dir);

    return 0;
}

int
fca_images_dirs(const fca_conf_t *conf, fcf_err_t *err)
{
    return fca_image_dir("functions", conf->functions, err) != 0
           || fca_image_dir("runtimes", conf->runtimes, err) != 0 ? -1 : 0;
}

int
fca_image_any(char *path, size_t size, const char *dir)
{
    int             rc = -1;
    DIR            *d;
    size_t          n;
    struct dirent  *entry;

    d = opendir(dir);

    while (d && rc != 0 && (entry = readdir(d)) != NULL) {
        n = strlen(entry->d_name);

        if (n > 4 && strcmp(entry->d_name + n - 4, ".img") == 0
            && (size_t) snprintf(path, size, "%s/%s", dir, entry->d_name)
               < size)
        {
            rc = 0;
        }
    }

    if (d) {
        closedir(d);
    }

    return rc;
}
