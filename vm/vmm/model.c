#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vm/vmm/model.h"
#include "vm/vmm/schema.h"


static void
close_fd(int *fd)
{
    if (*fd != -1) {
        (void) close(*fd);
        *fd = -1;
    }
}


static void
replace(json_t **slot, json_t *obj)
{
    json_decref(*slot);
    *slot = obj;
}


int
fcv_model_init(fcv_model_t *model, fcf_err_t *err)
{
    memset(model, 0, sizeof(fcv_model_t));

    model->kernel_fd = -1;
    model->initrd_fd = -1;
    model->serial_fd = -1;
    model->log_fd = -1;
    model->metrics_fd = -1;

    model->machine = fcv_schema_parse(fcv_schema_machine, 0,
                                      "{\"vcpu_count\":1,\"mem_size_mib\":128}",
                                      35, err);

    return model->machine ? 0 : -1;
}


void
fcv_model_done(fcv_model_t *model)
{
    unsigned  i;

    replace(&model->machine, NULL);
    replace(&model->boot, NULL);
    replace(&model->serial, NULL);
    replace(&model->entropy, NULL);
    replace(&model->balloon, NULL);
    replace(&model->logger, NULL);
    replace(&model->metrics, NULL);

    close_fd(&model->log_fd);
    close_fd(&model->metrics_fd);
    close_fd(&model->kernel_fd);
    close_fd(&model->initrd_fd);
    close_fd(&model->serial_fd);

    for (i = 0; i < model->ndrives; i++) {
        replace(&model->drives[i].json, NULL);
        close_fd(&model->drives[i].fd);
    }

    for (i = 0; i < model->nnics; i++) {
        replace(&model->nics[i].json, NULL);
        close_fd(&model->nics[i].fd);
    }

    model->ndrives = 0;
    model->nnics = 0;
}


int
fcv_model_put_machine(fcv_model_t *model, json_t *obj, fcf_err_t *err)
{
    int          smt, huge;
    long long    vcpus, mem;
    const char  *template;

    vcpus = fcv_int(obj, "vcpu_count");
    mem = fcv_int(obj, "mem_size_mib");
    smt = fcv_bool(obj, "smt");
    huge = strcmp(fcv_str(obj, "huge_pages"), "2M") == 0;
    template = fcv_str(obj, "cpu_template");

    if (vcpus < 1 || vcpus > FCV_VCPUS_MAX
        || (smt && vcpus > 1 && vcpus % 2))
    {
        (void) fcf_err_set(err, FCF_E_INVALID,
                           "Machine config error: vcpu_count %lld: the number "
                           "of vCPUs must be 1 to %d, and 1 or even if SMT is "
                           "enabled.", vcpus, FCV_VCPUS_MAX);
        goto refused;
    }

    if (mem == 0 || (huge && mem % 2)) {
        (void) fcf_err_set(err, FCF_E_INVALID,
                           "Machine config error: mem_size_mib %lld: the "
                           "memory size is either 0, or not a multiple of the "
                           "page size.", mem);
        goto refused;
    }

    if (template && strcmp(template, "None") != 0) {
        (void) fcf_err_set(err, FCF_E_INVALID,
                           "Machine config error: cpu_template %s: not "
                           "supported by the stand-in.", template);
        goto refused;
    }

    replace(&model->machine, obj);

    return 0;

refused:

    json_decref(obj);

    return -1;
}


int
fcv_model_patch_machine(fcv_model_t *model, json_t *obj, fcf_err_t *err)
{
    json_t  *whole;

    if (json_object_size(obj) == 0) {
        json_decref(obj);
        return fcf_err_set(err, FCF_E_INVALID, "Empty PATCH request.");
    }

    whole = json_copy(model->machine);

    if (whole == NULL || json_object_update(whole, obj) != 0) {
        json_decref(whole);
        json_decref(obj);
        return fcf_err_set(err, FCF_E_NOMEM, "Machine config error: no "
                           "memory.");
    }

    json_decref(obj);

    return fcv_model_put_machine(model, whole, err);
}


/* Opens a regular file or a block device. */
static int
open_image(const char *path, int flags, fcf_err_t *err)
{
    int          fd;
    struct stat  st;

    /* O_NONBLOCK: a FIFO must not stop us before it is refused */

    fd = open(path, flags|O_CLOEXEC|O_NONBLOCK);

    if (fd == -1) {
        return fcf_err_sys(err, errno, "%s", path);
    }

    if (fstat(fd, &st) == -1 || (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)))
    {
        (void) close(fd);
        return fcf_err_set(err, FCF_E_INVALID, "%s: not a regular file", path);
    }

    return fd;
}


static int
check_boot_args(const char *args, fcf_err_t *err)
{
    size_t  i;

    for (i = 0; args[i]; i++) {
        if (args[i] < ' ' || args[i] > '~') {
            return fcf_err_set(err, FCF_E_INVALID,
                               "byte %zu of boot_args is not printable ASCII",
                               i);
        }
    }

    if (i >= FCV_CMDLINE_MAX) {
        return fcf_err_set(err, FCF_E_LIMIT,
                           "boot_args has %zu bytes, at most %d are taken", i,
                           FCV_CMDLINE_MAX - 1);
    }

    return 0;
}


int
fcv_model_put_boot(fcv_model_t *model, json_t *obj, fcf_err_t *err)
{
    int          kernel, initrd;
    const char  *path, *args;

    kernel = -1;
    initrd = -1;
    args = fcv_str(obj, "boot_args");

    if (args && check_boot_args(args, err) != 0) {
        (void) fcf_err_wrap(err, "Boot source error: The kernel command line "
                                 "is invalid");
        goto refused;
    }

    kernel = open_image(fcv_str(obj, "kernel_image_path"), O_RDONLY, err);

    if (kernel == -1) {
        (void) fcf_err_wrap(err, "Boot source error: The kernel file cannot "
                                 "be opened");
        goto refused;
    }

    path = fcv_str(obj, "initrd_path");

    if (path) {
        initrd = open_image(path, O_RDONLY, err);

        if (initrd == -1) {
            (void) fcf_err_wrap(err, "Boot source error: The initrd file "
                                     "cannot be opened");
            goto refused;
        }
    }

    close_fd(&model->kernel_fd);
    close_fd(&model->initrd_fd);
    replace(&model->boot, obj);

    model->kernel_fd = kernel;
    model->initrd_fd = initrd;

    return 0;

refused:

    close_fd(&kernel);
    json_decref(obj);

    return -1;
}


int
fcv_model_check_start(const fcv_model_t *model, fcf_err_t *err)
{
    size_t       len;
    struct stat  st;

    len = strlen(fcv_model_boot_args(model));

    if (len >= FCV_CMDLINE_MAX - FCV_CMDLINE_ADDED) {
        return fcf_err_set(err, FCF_E_LIMIT,
                           "Invalid command line: boot_args has %zu bytes, "
                           "and what is added does not fit into %d.", len,
                           FCV_CMDLINE_MAX);
    }

    if (model->initrd_fd != -1 && fstat(model->initrd_fd, &st) == 0
        && S_ISREG(st.st_mode) && st.st_size == 0)
    {
        return fcf_err_set(err, FCF_E_INVALID,
                           "Initrd error: initrd_path %s: the file is empty.",
                           fcv_str(model->boot, "initrd_path"));
    }

    return 0;
}


static int
check_drive(const fcv_model_t *model, const json_t *obj, unsigned pos,
    fcf_err_t *err)
{
    const char  *id, *root;

    id = fcv_str(obj, "drive_id");

    if (fcv_str(obj, "socket")) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "Drive config error: %s: socket %s: vhost-user is "
                           "not supported by the stand-in.", id,
                           fcv_str(obj, "socket"));
    }

    if (fcv_str(obj, "path_on_host") == NULL) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "Drive config error: %s: path_on_host is missing.",
                           id);
    }

    if (fcv_bool(obj, "is_root_device") && pos != 0 && model->ndrives
        && fcv_bool(model->drives[0].json, "is_root_device"))
    {
        root = fcv_str(model->drives[0].json, "drive_id");

        return fcf_err_set(err, FCF_E_INVALID,
                           "Drive config error: %s: A root block device "
                           "already exists: %s.", id, root);
    }

    if (pos == FCV_DRIVES_MAX) {
        return fcf_err_set(err, FCF_E_LIMIT,
                           "Drive config error: %s: the stand-in has room for "
                           "%d drives.", id, FCV_DRIVES_MAX);
    }

    return 0;
}


/* A root device stands first, as /dev/vda; all others in order of PUT. */
static void
insert_drive(fcv_model_t *model, unsigned pos, const fcv_drive_t *drive)
{
    fcv_drive_t  first;

    if (pos == model->ndrives) {
        model->ndrives++;

    } else {
        json_decref(model->drives[pos].json);
        close_fd(&model->drives[pos].fd);
    }

    model->drives[pos] = *drive;

    if (pos != 0 && fcv_bool(drive->json, "is_root_device")) {
        first = model->drives[pos];
        memmove(&model->drives[1], &model->drives[0],
                pos * sizeof(fcv_drive_t));
        model->drives[0] = first;
    }
}


/* list: of structs that begin with their json */
static unsigned
find(const void *list, size_t size, unsigned n, const char *field,
    const char *id)
{
    unsigned       i;
    const json_t  *json;

    for (i = 0; i < n; i++) {
        memcpy(&json, (const char *) list + i * size, sizeof(json));

        if (strcmp(fcv_str(json, field), id) == 0) {
            break;
        }
    }

    return i;
}


unsigned
fcv_model_find_drive(const fcv_model_t *model, const char *id)
{
    return find(model->drives, sizeof(fcv_drive_t), model->ndrives,
                "drive_id", id);
}


unsigned
fcv_model_find_nic(const fcv_model_t *model, const char *id)
{
    return find(model->nics, sizeof(fcv_nic_t), model->nnics, "iface_id", id);
}


int
fcv_model_put_drive(fcv_model_t *model, json_t *obj, fcf_err_t *err)
{
    unsigned      pos;
    const char   *id;
    fcv_drive_t   drive;

    id = fcv_str(obj, "drive_id");
    pos = fcv_model_find_drive(model, id);

    if (check_drive(model, obj, pos, err) != 0) {
        goto refused;
    }

    drive.json = obj;
    drive.fd = open_image(fcv_str(obj, "path_on_host"),
                          fcv_bool(obj, "is_read_only") ? O_RDONLY : O_RDWR,
                          err);

    if (drive.fd == -1) {
        (void) fcf_err_wrap(err, "Drive config error: %s: Unable to open the "
                                 "backing file", id);
        goto refused;
    }

    insert_drive(model, pos, &drive);

    return 0;

refused:

    json_decref(obj);

    return -1;
}


const char *
fcv_model_boot_args(const fcv_model_t *model)
{
    const char  *args;

    args = fcv_str(model->boot, "boot_args");

    return args ? args : FCV_DEFAULT_BOOT_ARGS;
}


json_t *
fcv_model_config(const fcv_model_t *model)
{
    json_t    *drives, *nics, *boot;
    unsigned   i;

    drives = json_array();
    nics = json_array();

    for (i = 0; i < model->ndrives; i++) {
        json_array_append(drives, model->drives[i].json);
    }

    for (i = 0; i < model->nnics; i++) {
        json_array_append(nics, model->nics[i].json);
    }

    boot = model->boot ? json_incref(model->boot)
                       : json_pack("{s:s,s:n}", "kernel_image_path", "",
                                   "initrd_path");

    return json_pack("{s:O?, s:o, s:o, s:n, s:O?, s:O, s:O?, s:n, s:o, s:n,"
                     " s:O?, s:[], s:O?, s:n}",
                     "balloon", model->balloon, "drives", drives,
                     "boot-source", boot, "cpu-config", "logger", model->logger, "machine-config",
                     model->machine, "metrics", model->metrics, "mmds-config",
                     "network-interfaces", nics, "vsock", "entropy",
                     model->entropy, "pmem", "serial", model->serial,
                     "memory-hotplug");
}
