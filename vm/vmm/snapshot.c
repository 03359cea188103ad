#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vm/vmm/schema.h"
#include "vm/vmm/snapshot.h"

#define HEAD_MAGIC  (sizeof(FCV_SNAPSHOT_MAGIC) - 1)

typedef struct {
    char      magic[HEAD_MAGIC];
    uint64_t  len, sum;
} head_t;

typedef int (*put_pt)(fcv_model_t *model, json_t *obj, fcf_err_t *err);


/* FNV-1a: against damage, not against malice */

static uint64_t
checksum(const char *data, size_t len)
{
    size_t    i;
    uint64_t  sum;

    sum = 0xcbf29ce484222325ull;

    for (i = 0; i < len; i++) {
        sum = (sum ^ (unsigned char) data[i]) * 0x100000001b3ull;
    }

    return sum;
}


static int
write_all(int fd, const void *data, size_t len)
{
    ssize_t      n;
    const char  *p;

    for (p = data; len > 0; p += n, len -= (size_t) n) {
        n = write(fd, p, len);

        if (n <= 0) {
            return -1;
        }
    }

    return 0;
}


static char *
state_text(const fcv_model_t *model, const char *backend, int minor)
{
    char    *text;
    json_t  *config, *state;

    config = fcv_model_config(model);
    state = json_pack("{s:i, s:s, s:o}", "minor", minor, "backend", backend,
                      "config", config);
    text = state ? json_dumps(state, JSON_COMPACT) : NULL;
    json_decref(state);

    return text;
}


int
fcv_snapshot_write(const fcv_model_t *model, const char *backend, int minor,
    const char *path, fcf_err_t *err)
{
    int      fd, rc;
    char    *text;
    head_t   head;

    text = state_text(model, backend, minor);

    if (text == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    fd = open(path, O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC|O_NONBLOCK, 0600);

    if (fd == -1) {
        free(text);
        return fcf_err_sys(err, errno, "snapshot_path %s", path);
    }

    memcpy(head.magic, FCV_SNAPSHOT_MAGIC, HEAD_MAGIC);
    head.len = htole64(strlen(text));
    head.sum = htole64(checksum(text, strlen(text)));
    rc = 0;

    if (write_all(fd, &head, sizeof(head)) != 0
        || write_all(fd, text, strlen(text)) != 0 || fsync(fd) != 0)
    {
        rc = fcf_err_sys(err, errno, "snapshot_path %s", path);
    }

    free(text);
    (void) close(fd);

    return rc;
}


static json_t *
parse_state(const char *data, size_t len, fcf_err_t *err)
{
    head_t   head;
    json_t  *state;

    if (len < sizeof(head)) {
        (void) fcf_err_set(err, FCF_E_INVALID, "it is cut");
        return NULL;
    }

    memcpy(&head, data, sizeof(head));
    data += sizeof(head);
    len -= sizeof(head);

    if (memcmp(head.magic, FCV_SNAPSHOT_MAGIC, HEAD_MAGIC) != 0) {
        (void) fcf_err_set(err, FCF_E_INVALID, "it is none of ours");
        return NULL;
    }

    if (le64toh(head.len) != len || le64toh(head.sum) != checksum(data, len)) {
        (void) fcf_err_set(err, FCF_E_INVALID, "CRC64 validation failed");
        return NULL;
    }

    state = json_loadb(data, len, 0, NULL);

    if (state == NULL) {
        (void) fcf_err_set(err, FCF_E_INVALID, "it is no JSON");
    }

    return state;
}


static json_t *
read_state(const char *path, fcf_err_t *err)
{
    int       fd;
    char     *data;
    json_t   *state;
    ssize_t   n;

    fd = open(path, O_RDONLY|O_CLOEXEC|O_NONBLOCK);

    if (fd == -1) {
        (void) fcf_err_sys(err, errno, "%s", path);
        return NULL;
    }

    data = malloc(FCV_SNAPSHOT_MAX);
    n = data ? read(fd, data, FCV_SNAPSHOT_MAX) : -1;
    state = NULL;

    if (n == -1) {
        (void) fcf_err_sys(err, data ? errno : ENOMEM, "%s", path);

    } else {
        state = parse_state(data, (size_t) n, err);

        if (state == NULL) {
            (void) fcf_err_wrap(err, "%s", path);
        }
    }

    free(data);
    (void) close(fd);

    return state;
}


json_t *
fcv_snapshot_read(const char *path, const char *backend, int minor,
    fcf_err_t *err)
{
    json_t      *state;
    long long    theirs;
    const char  *made_by;

    state = read_state(path, err);

    if (state == NULL) {
        return NULL;
    }

    theirs = fcv_int(state, "minor");
    made_by = fcv_str(state, "backend");

    if (theirs != minor) {
        (void) fcf_err_set(err, FCF_E_INVALID, "%s: of version 1.%lld, this "
                           "is 1.%d", path, theirs, minor);

    } else if (made_by == NULL || strcmp(made_by, backend) != 0) {
        (void) fcf_err_set(err, FCF_E_INVALID, "%s: of the backend %s, this "
                           "is %s", path, made_by ? made_by : "?", backend);

    } else {
        return state;
    }

    json_decref(state);

    return NULL;
}


/* through the schema, since a file may hold anything */

static int
put_part(fcv_model_t *model, json_t *part, const fcv_field_t *schema,
    int minor, put_pt put, fcf_err_t *err)
{
    json_t  *obj;

    obj = fcv_schema_apply(schema, minor, part, err);

    return obj ? put(model, obj, err) : -1;
}


static int
put_list(fcv_model_t *model, json_t *list, const fcv_field_t *schema,
    int minor, put_pt put, fcf_err_t *err)
{
    size_t   i;
    json_t  *part;

    json_array_foreach(list, i, part) {
        if (put_part(model, part, schema, minor, put, err) != 0) {
            return -1;
        }
    }

    return 0;
}


static json_t *
find_nic(json_t *nics, const char *id)
{
    size_t       i;
    json_t      *nic;
    const char  *name;

    json_array_foreach(nics, i, nic) {
        name = fcv_str(nic, "iface_id");

        if (name && strcmp(name, id) == 0) {
            return nic;
        }
    }

    return NULL;
}


/* an override of an interface that the snapshot has not is a mistake */

static int
override_taps(json_t *nics, const json_t *overrides, fcf_err_t *err)
{
    size_t         i;
    json_t        *nic;
    const json_t  *item;

    json_array_foreach(overrides, i, item) {
        nic = find_nic(nics, fcv_str(item, "iface_id"));

        if (nic == NULL
            || json_object_set(nic, "host_dev_name",
                               json_object_get(item, "host_dev_name")) != 0)
        {
            return fcf_err_set(err, FCF_E_INVALID, "network_overrides: the "
                               "snapshot has no interface %.80s",
                               fcv_str(item, "iface_id"));
        }
    }

    return 0;
}


int
fcv_snapshot_apply(fcv_model_t *model, const json_t *state,
    const json_t *overrides, int minor, fcf_err_t *err)
{
    json_t  *config, *boot, *nics, *entropy, *balloon;

    config = json_object_get(state, "config");
    boot = json_object_get(config, "boot-source");
    nics = json_object_get(config, "network-interfaces");
    entropy = json_object_get(config, "entropy");
    balloon = json_object_get(config, "balloon");

    if (override_taps(nics, overrides, err) != 0
        || put_part(model, json_object_get(config, "machine-config"),
                    fcv_schema_machine, minor, fcv_model_put_machine, err)
           != 0
        || put_part(model, boot, fcv_schema_boot, minor, fcv_model_put_boot,
                    err) != 0
        || put_list(model, json_object_get(config, "drives"),
                    fcv_schema_drive, minor, fcv_model_put_drive, err) != 0
        || put_list(model, nics, fcv_schema_nic, minor, fcv_model_put_nic,
                    err) != 0)
    {
        return -1;
    }

    if (json_is_object(entropy)
        && put_part(model, entropy, fcv_schema_entropy, minor,
                    fcv_model_put_entropy, err) != 0)
    {
        return -1;
    }

    return json_is_object(balloon)
           ? put_part(model, balloon, fcv_schema_balloon, minor,
                      fcv_model_put_balloon, err) : 0;
}


static off_t
memory_size(const fcv_model_t *model)
{
    return (off_t) fcv_int(model->machine, "mem_size_mib") << 20;
}


int
fcv_snapshot_make_memory(const fcv_model_t *model, const char *path,
    fcf_err_t *err)
{
    int  fd;

    fd = open(path, O_RDWR|O_CREAT|O_TRUNC|O_CLOEXEC|O_NONBLOCK, 0600);

    if (fd == -1) {
        return fcf_err_sys(err, errno, "mem_file_path %s", path);
    }

    if (ftruncate(fd, memory_size(model)) != 0) {
        (void) fcf_err_sys(err, errno, "mem_file_path %s", path);
        (void) close(fd);
        return -1;
    }

    return fd;
}


int
fcv_snapshot_open_memory(const fcv_model_t *model, const char *path,
    fcf_err_t *err)
{
    int          fd;
    struct stat  st;

    fd = open(path, O_RDONLY|O_CLOEXEC|O_NONBLOCK);

    if (fd == -1) {
        return fcf_err_sys(err, errno, "memory file %s", path);
    }

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)
        || st.st_size < memory_size(model))
    {
        (void) close(fd);
        return fcf_err_set(err, FCF_E_INVALID, "memory file %s: it is shorter "
                           "than the memory", path);
    }

    return fd;
}
