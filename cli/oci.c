/* The layout: from its index to the layers. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/digest.h"
#include "cli/oci.h"

#define FCC_OCI_NESTED  4               /* indexes in indexes */

#define FCC_OCI_IMAGE   "application/vnd.oci.image."
#define FCC_OCI_DOCKER  "application/vnd.docker."


static const char *
fcc_oci_member(const json_t *obj, const char *name)
{
    const char  *text;

    text = json_string_value(json_object_get(obj, name));

    return text != NULL ? text : "";
}


/* a file's bytes, up to one more than there may be; NULL: *err says why not */
static char *
fcc_oci_text(const char *path, size_t *len, fcf_err_t *err)
{
    char  *text;
    FILE  *file;

    file = fopen(path, "re");

    if (file == NULL) {
        fcf_err_sys(err, errno, "%s", path);
        return NULL;
    }

    text = malloc(FCC_OCI_CONFIG + 1);

    if (text == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "no memory");

    } else {
        *len = fread(text, 1, FCC_OCI_CONFIG + 1, file);

        if (ferror(file)) {
            fcf_err_sys(err, errno, "%s", path);
            free(text);
            text = NULL;
        }
    }

    (void) fclose(file);

    return text;
}


static json_t *
fcc_oci_read(const char *path, fcf_err_t *err)
{
    char    *text;
    size_t   n;
    json_t  *json;

    text = fcc_oci_text(path, &n, err);

    if (text == NULL) {
        return NULL;
    }

    json = n <= FCC_OCI_CONFIG ? json_loadb(text, n, 0, NULL) : NULL;
    free(text);

    if (!json_is_object(json)) {
        fcf_err_set(err, FCF_E_REFUSED, "%s: is no JSON object", path);
        json_decref(json);
        json = NULL;
    }

    return json;
}


/* malloc'd; a blob is what its descriptor says */
static char *
fcc_oci_blob(const fcc_oci_t *oci, const json_t *descriptor, fcf_err_t *err)
{
    char        *path, hex[FCC_DIGEST];
    int64_t      size;
    const char  *want;

    want = fcc_oci_hex(fcc_oci_member(descriptor, "digest"));

    if (want == NULL) {
        fcf_err_set(err, FCF_E_REFUSED, "\"%s\": is no sha256:...",
                    fcc_oci_member(descriptor, "digest"));
        return NULL;
    }

    if (asprintf(&path, "%s/blobs/sha256/%s", oci->dir, want) < 0) {
        fcf_err_set(err, FCF_E_NOMEM, "no memory");
        return NULL;
    }

    if (fcc_digest_file(path, hex, &size, err) != 0) {
        free(path);
        return NULL;
    }

    if (strcmp(hex, want) != 0
        || size != json_integer_value(json_object_get(descriptor, "size")))
    {
        fcf_err_set(err, FCF_E_REFUSED, "%s: has another digest or size than "
                    "its name and the image say", path);
        free(path);
        return NULL;
    }

    return path;
}


static json_t *
fcc_oci_json(const fcc_oci_t *oci, const json_t *descriptor, fcf_err_t *err)
{
    char    *path;
    json_t  *json;

    path = fcc_oci_blob(oci, descriptor, err);

    if (path == NULL) {
        return NULL;
    }

    json = fcc_oci_read(path, err);
    free(path);

    return json;
}


static int
fcc_oci_is(const char *type, const char *oci, const char *docker)
{
    return (strncmp(type, FCC_OCI_IMAGE, sizeof(FCC_OCI_IMAGE) - 1) == 0
            && strcmp(type + sizeof(FCC_OCI_IMAGE) - 1, oci) == 0)
           || (strncmp(type, FCC_OCI_DOCKER, sizeof(FCC_OCI_DOCKER) - 1) == 0
               && strcmp(type + sizeof(FCC_OCI_DOCKER) - 1, docker) == 0);
}


static const json_t *
fcc_oci_tagged(const json_t *list, const char *tag, fcf_err_t *err)
{
    size_t         i;
    const json_t  *one, *found;

    found = NULL;

    for (i = 0; i < json_array_size(list); i++) {

        one = json_array_get(list, i);

        if (tag == NULL || strcmp(fcc_oci_member(json_object_get(one,
                                  "annotations"),
                                  "org.opencontainers.image.ref.name"), tag)
                           == 0)
        {
            if (found != NULL) {
                fcf_err_set(err, FCF_E_REFUSED, "holds %zu images: oci:DIR:TAG "
                            "says which", json_array_size(list));
                return NULL;
            }

            found = one;
        }
    }

    if (found == NULL) {
        fcf_err_set(err, FCF_E_NOT_FOUND, "holds no image%s%s",
                    tag != NULL ? " with the tag " : "",
                    tag != NULL ? tag : "");
    }

    return found;
}


/* of an index, what runs in a guest */
static const json_t *
fcc_oci_for_us(const json_t *list, fcf_err_t *err)
{
    size_t         i;
    const json_t  *one, *platform;

    for (i = 0; i < json_array_size(list); i++) {

        one = json_array_get(list, i);
        platform = json_object_get(one, "platform");

        if (strcmp(fcc_oci_member(platform, "architecture"), "amd64") == 0
            && strcmp(fcc_oci_member(platform, "os"), "linux") == 0)
        {
            return one;
        }
    }

    fcf_err_set(err, FCF_E_REFUSED, "has none of its images for Linux on "
                "amd64");

    return NULL;
}


static int
fcc_oci_layer_add(fcc_oci_t *oci, const json_t *descriptor, fcf_err_t *err)
{
    const char       *type, *hex;
    fcc_oci_layer_t  *layer;

    if (oci->nlayers == FCC_OCI_LAYERS) {
        return fcf_err_set(err, FCF_E_REFUSED, "has more than %d layers",
                           FCC_OCI_LAYERS);
    }

    layer = &oci->layers[oci->nlayers++];
    type = fcc_oci_member(descriptor, "mediaType");
    hex = fcc_oci_hex(fcc_oci_member(descriptor, "digest"));
    layer->size = json_integer_value(json_object_get(descriptor, "size"));
    layer->gzip = fcc_oci_is(type, "layer.v1.tar+gzip",
                             "image.rootfs.diff.tar.gzip");
    layer->zstd = fcc_oci_is(type, "layer.v1.tar+zstd",
                             "image.rootfs.diff.tar.zstd");

    if (hex == NULL) {
        return fcf_err_set(err, FCF_E_REFUSED, "a layer has no digest");
    }

    memcpy(layer->sha256, hex, sizeof(layer->sha256));

    return layer->gzip || layer->zstd
           || fcc_oci_is(type, "layer.v1.tar", "image.rootfs.diff.tar") ? 0
           : fcf_err_set(err, FCF_E_REFUSED, "a layer is of a kind that is "
                         "not known: \"%s\"", type);
}


static int
fcc_oci_manifest(fcc_oci_t *oci, const json_t *manifest, fcf_err_t *err)
{
    char          *path, *text;
    size_t         i, n;
    const char    *type;
    const json_t  *config, *layers;

    config = json_object_get(manifest, "config");
    layers = json_object_get(manifest, "layers");
    type = fcc_oci_member(config, "mediaType");

    if (!fcc_oci_is(type, "config.v1+json", "container.image.v1+json")
        && strcmp(type, FCC_OCI_DOCKER "container.image.v1+json") != 0)
    {
        return fcf_err_set(err, FCF_E_REFUSED, "is no container image, but "
                           "\"%s\"", type);
    }

    path = fcc_oci_blob(oci, config, err);

    if (path == NULL) {
        return -1;
    }

    text = fcc_oci_text(path, &n, err);
    free(path);

    if (text == NULL || fcc_oci_config_decode(&oci->config, text, n, err) != 0)
    {
        free(text);
        return -1;
    }

    free(text);

    for (i = 0; i < json_array_size(layers); i++) {
        if (fcc_oci_layer_add(oci, json_array_get(layers, i), err) != 0) {
            return -1;
        }
    }

    return oci->nlayers == oci->config.ndiffs ? 0
           : fcf_err_set(err, FCF_E_REFUSED, "has %zu layers, and %zu are in "
                         "its configuration", oci->nlayers,
                         oci->config.ndiffs);
}


static int
fcc_oci_find(fcc_oci_t *oci, json_t *index, const char *tag, fcf_err_t *err)
{
    int            i, rc;
    json_t        *next;
    const char    *type;
    const json_t  *one;

    one = fcc_oci_tagged(json_object_get(index, "manifests"), tag, err);
    json_incref(index);
    rc = -1;

    for (i = 0; one != NULL && i < FCC_OCI_NESTED; i++) {

        type = fcc_oci_member(one, "mediaType");
        next = fcc_oci_json(oci, one, err);

        if (next == NULL) {
            break;
        }

        if (!fcc_oci_is(type, "index.v1+json",
                        "distribution.manifest.list.v2+json"))
        {
            rc = fcc_oci_manifest(oci, next, err);
            json_decref(next);
            break;
        }

        json_decref(index);
        index = next;
        one = fcc_oci_for_us(json_object_get(index, "manifests"), err);

        if (i == FCC_OCI_NESTED - 1 && one != NULL) {
            (void) fcf_err_set(err, FCF_E_REFUSED, "is an index in an index in "
                               "an index");
        }
    }

    json_decref(index);

    return rc;
}


int
fcc_oci_open(fcc_oci_t *oci, const char *dir, const char *tag, fcf_err_t *err)
{
    int      rc;
    char    *path;
    json_t  *index;

    memset(oci, 0, sizeof(fcc_oci_t));
    oci->dir = strdup(dir);
    path = oci->dir != NULL ? fcc_join(dir, "index.json") : NULL;
    index = path != NULL ? fcc_oci_read(path, err) : NULL;

    rc = path == NULL ? fcf_err_set(err, FCF_E_NOMEM, "no memory")
         : index != NULL ? fcc_oci_find(oci, index, tag, err) : -1;

    json_decref(index);
    free(path);

    if (rc != 0) {
        fcc_oci_close(oci);
    }

    return rc;
}


void
fcc_oci_close(fcc_oci_t *oci)
{
    fcc_oci_config_free(&oci->config);
    free(oci->dir);
    memset(oci, 0, sizeof(fcc_oci_t));
}
