#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/archive.h"
#include "cli/command.h"
#include "cli/source.h"


/* "<runtimes>/<runtime><ending>", malloc'd, if it is there; else NULL */
static char *
fcc_runtime_file(const fcc_conf_t *conf, const char *runtime,
    const char *ending)
{
    char  *path;

    if (asprintf(&path, "%s/%s%s", conf->runtimes, runtime, ending) < 0) {
        return NULL;
    }

    if (access(path, R_OK) != 0) {
        free(path);
        return NULL;
    }

    return path;
}


/* a machine that has no runtimes knows nothing of them */
static int
fcc_source_runtime(fcc_source_t *source, const fcc_conf_t *conf, int pinned,
    fcf_err_t *err)
{
    if (!fcf_id_valid(source->runtime, strlen(source->runtime))) {
        return fcf_err_set(err, FCF_E_INVALID, "runtime \"%s\": cannot be a "
                           "name", source->runtime);
    }

    source->runtime_img = fcc_runtime_file(conf, source->runtime, ".img");

    if (source->runtime_img == NULL && !pinned
        && access(conf->runtimes, X_OK) == 0)
    {
        return fcf_err_set(err, FCF_E_NOT_FOUND, "there is no runtime \"%s\" "
                           "in %s", source->runtime, conf->runtimes);
    }

    return 0;
}


static int
fcc_source_unpack(fcc_source_t *source, fcf_err_t *err)
{
    source->temp = fcc_temp_dir(err);

    if (source->temp == NULL) {
        return -1;
    }

    source->dir = fcc_join(source->temp, "function");

    if (source->dir == NULL || mkdir(source->dir, 0755) != 0) {
        return fcf_err_sys(err, errno, "%s", source->temp);
    }

    return fcc_unpack(source->label, source->dir, err);
}


/* what the runtime does with code before it becomes an image: a program
 * beside the runtime's image, given a copy of the code */
static int
fcc_source_prepare(fcc_source_t *source, const fcc_conf_t *conf,
    fcf_err_t *err)
{
    int    rc;
    char  *program, *copy;

    program = fcc_runtime_file(conf, source->runtime, ".prepare");

    if (program == NULL) {
        return 0;
    }

    rc = 0;

    if (source->temp == NULL) {

        source->temp = fcc_temp_dir(err);
        copy = source->temp != NULL ? fcc_join(source->temp, "function")
                                    : NULL;

        rc = source->temp == NULL ? -1
             : copy == NULL ? fcf_err_set(err, FCF_E_NOMEM, "no memory")
             : fcc_tree_copy(source->dir, copy, err);

        free(source->dir);
        source->dir = copy;
    }

    if (rc == 0) {
        const char *const  argv[] = { program, source->dir,
                                      source->runtime_img, NULL };

        rc = fcc_command(argv, err);
    }

    free(program);

    return rc;
}


int
fcc_source_open(fcc_source_t *source, const char *given, int plain,
    fcf_err_t *err)
{
    struct stat  st;

    memset(source, 0, sizeof(fcc_source_t));
    source->given = given;

    if (fcc_is_container(given)) {
        return fcc_container_open(source, plain, err);
    }

    source->label = realpath(given, NULL);

    if (source->label == NULL || stat(source->label, &st) != 0) {
        return fcf_err_sys(err, errno, "%s", given);
    }

    if (S_ISDIR(st.st_mode)) {
        source->dir = strdup(source->label);

        if (source->dir == NULL) {
            return fcf_err_set(err, FCF_E_NOMEM, "no memory");
        }

    } else if (!S_ISREG(st.st_mode)) {
        return fcf_err_set(err, FCF_E_REFUSED, "%s: is neither a directory "
                           "nor an archive", given);

    } else if (fcc_source_unpack(source, err) != 0) {
        return -1;
    }

    return fcc_tree_check(source, err);
}


int
fcc_source_image(fcc_source_t *source, const char *given, fcf_err_t *err)
{
    struct stat  st;

    memset(source, 0, sizeof(fcc_source_t));
    source->given = given;
    source->image = 1;
    source->label = realpath(given, NULL);

    if (source->label == NULL || stat(source->label, &st) != 0) {
        return fcf_err_sys(err, errno, "%s", given);
    }

    source->bytes = st.st_size;

    return S_ISREG(st.st_mode) && st.st_size != 0 ? 0
           : fcf_err_set(err, FCF_E_REFUSED, "%s: is %s", given,
                         S_ISREG(st.st_mode) ? "empty" : "no file");
}


int
fcc_source_look(fcc_source_t *source, const fcc_conf_t *conf,
    const char *runtime, int pinned, fcf_err_t *err)
{
    source->runtime = runtime;

    if (source->oci != NULL) {
        return 0;                       /* it is its own */
    }

    return fcc_source_runtime(source, conf, pinned, err) != 0
           || fcc_entry_check(source, conf, err) != 0
           || fcc_source_prepare(source, conf, err) != 0
           ? -1 : 0;
}


void
fcc_source_close(fcc_source_t *source)
{
    fcc_remove_tree(source->temp);
    free(source->label);
    free(source->dir);
    free(source->temp);
    free(source->runtime_img);

    if (source->oci != NULL) {
        fcc_oci_close(source->oci);
        free(source->oci);
    }

    memset(source, 0, sizeof(fcc_source_t));
}
