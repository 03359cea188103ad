/* Container images, wherever they are: skopeo, a program, gets those of
 * registries and archives; its layers stay as they are. */

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/command.h"
#include "cli/source.h"

static const char *const  fcc_kinds[] = {
    "oci:", "docker-archive:", "docker://", NULL
};


/* what is behind the kind; NULL: it is of none */
static const char *
fcc_container_rest(const char *given)
{
    size_t  i;

    for (i = 0; fcc_kinds[i] != NULL; i++) {
        if (strncmp(given, fcc_kinds[i], strlen(fcc_kinds[i])) == 0) {
            return given + strlen(fcc_kinds[i]);
        }
    }

    return NULL;
}


int
fcc_is_container(const char *given)
{
    return fcc_container_rest(given) != NULL;
}


/* "registry/some/name:tag@sha256:..." */
void
fcc_container_name(char *name, size_t size, const char *given)
{
    size_t       len;
    const char  *rest, *last;

    rest = fcc_container_rest(given);
    last = strrchr(rest, '/');

    /* an OCI layout's tag may have one, too */

    if (strncmp(given, "oci:", 4) == 0 && strchr(rest, ':') != NULL) {
        for (last = strchr(rest, ':'); last > rest && *last != '/'; last--) {
            /* void */
        }

        last = *last == '/' ? last : NULL;
    }

    rest = last != NULL ? last + 1 : rest;
    len = strcspn(rest, ":@");

    if (len > 4 && strncmp(rest + len - 4, ".tar", 4) == 0) {
        len -= 4;
    }

    (void) snprintf(name, size, "%.*s", (int) len, rest);
}


static int
fcc_container_fetch(fcc_source_t *source, const char *dir, int plain,
    fcf_err_t *err)
{
    int          rc;
    char        *to;
    size_t       n;
    const char  *argv[16];

    if (asprintf(&to, "oci:%s:image", dir) < 0) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    n = 0;
    argv[n++] = "skopeo";
    argv[n++] = "copy";
    argv[n++] = "--quiet";
    argv[n++] = "--insecure-policy";    /* digests are seen to, here too */
    argv[n++] = "--override-os";
    argv[n++] = "linux";
    argv[n++] = "--override-arch";
    argv[n++] = "amd64";

    if (plain) {
        argv[n++] = "--src-tls-verify=false";
    }

    argv[n++] = source->given;
    argv[n++] = to;
    argv[n] = NULL;

    fcc_say("%s: skopeo gets it", source->given);
    rc = fcc_command(argv, err);
    free(to);

    return rc == 0 || err->code != FCF_E_NOT_FOUND ? rc
           : fcf_err_set(err, FCF_E_REFUSED, "skopeo is not installed, which "
                         "gets such images: apt install skopeo");
}


/* "DIR" or "DIR:TAG" */
static int
fcc_container_layout(fcc_source_t *source, const char *rest, fcf_err_t *err)
{
    int          rc;
    char        *dir, *tag;
    struct stat  st;

    dir = strdup(rest);
    tag = dir != NULL && stat(dir, &st) != 0 ? strrchr(dir, ':') : NULL;

    if (tag != NULL) {
        *tag++ = '\0';
    }

    rc = dir == NULL ? fcf_err_set(err, FCF_E_NOMEM, "no memory")
         : fcc_oci_open(source->oci, dir, tag, err);
    free(dir);

    return rc;
}


int
fcc_container_open(fcc_source_t *source, int plain, fcf_err_t *err)
{
    int          rc;
    char        *dir;
    const char  *rest;

    source->oci = calloc(1, sizeof(fcc_oci_t));
    source->label = strdup(source->given);
    source->temp = fcc_temp_dir(err);

    if (source->oci == NULL || source->label == NULL || source->temp == NULL) {
        return source->temp == NULL ? -1
               : fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    rest = fcc_container_rest(source->given);

    if (strncmp(source->given, "oci:", 4) == 0) {
        rc = fcc_container_layout(source, rest, err);

    } else {
        dir = fcc_join(source->temp, "layout");
        rc = dir == NULL ? fcf_err_set(err, FCF_E_NOMEM, "no memory")
             : fcc_container_fetch(source, dir, plain, err) != 0
               || fcc_oci_open(source->oci, dir, NULL, err) != 0 ? -1 : 0;
        free(dir);
    }

    return rc == 0 ? 0 : fcf_err_wrap(err, "%s", source->given);
}
