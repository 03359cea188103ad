/*
 * What was PUT: the machine before it starts.  Each put takes an object made
 * by its schema (the reference is taken over, also on failure), opens what it
 * names, and either replaces what was there or changes nothing.
 */

#ifndef _FCV_MODEL_H_INCLUDED_
#define _FCV_MODEL_H_INCLUDED_

#include <jansson.h>
#include "contract/fcf_err.h"

#define FCV_DRIVES_MAX  16
#define FCV_NICS_MAX    4
#define FCV_VCPUS_MAX   32

#define FCV_CMDLINE_MAX  2048           /* x86's COMMAND_LINE_SIZE */
/* what Firecracker adds at the start has to fit too: more than 147 bytes it is
 * not */
#define FCV_CMDLINE_ADDED  128

/* Firecracker's own, when no boot_args are given */
#define FCV_DEFAULT_BOOT_ARGS                                                \
    "reboot=k panic=1 pci=off nomodule 8250.nr_uarts=0 i8042.noaux "         \
    "i8042.nomux i8042.nopnp i8042.dumbkbd"

typedef struct {
    json_t         *json;               /* first, in both */
    int             fd;
} fcv_drive_t;

typedef struct {
    json_t         *json;
    int             fd;
    int             has_mac;
    unsigned char   mac[6];
} fcv_nic_t;

typedef struct {
    int             vnet_hdr;           /* how TAPs are opened */
    json_t         *machine;
    json_t         *boot;               /* NULL before the first PUT */
    json_t         *serial, *entropy, *balloon, *logger, *metrics;
    int             kernel_fd, initrd_fd;   /* -1: none */
    int             serial_fd;          /* from the start on */
    int             log_fd, metrics_fd;
    fcv_drive_t     drives[FCV_DRIVES_MAX];     /* in the guest's order */
    unsigned        ndrives;
    fcv_nic_t       nics[FCV_NICS_MAX];
    unsigned        nnics;
} fcv_model_t;

int fcv_model_init(fcv_model_t *model, fcf_err_t *err) fcf_must_check;
void fcv_model_done(fcv_model_t *model);

int fcv_model_put_machine(fcv_model_t *model, json_t *obj, fcf_err_t *err);
/* what is given of it; before the start only, as all of these */
int fcv_model_patch_machine(fcv_model_t *model, json_t *obj, fcf_err_t *err);
int fcv_model_put_boot(fcv_model_t *model, json_t *obj, fcf_err_t *err);
int fcv_model_put_drive(fcv_model_t *model, json_t *obj, fcf_err_t *err);
int fcv_model_put_nic(fcv_model_t *model, json_t *obj, fcf_err_t *err);
int fcv_model_put_serial(fcv_model_t *model, json_t *obj, fcf_err_t *err);
int fcv_model_put_entropy(fcv_model_t *model, json_t *obj, fcf_err_t *err);
/* what is said where there is none: -1 */
int fcv_model_no_balloon(fcf_err_t *err);
int fcv_model_put_balloon(fcv_model_t *model, json_t *obj, fcf_err_t *err);
/* of one that there is, also while the guest runs */
int fcv_model_patch_balloon(fcv_model_t *model, json_t *obj, fcf_err_t *err);
int fcv_model_put_logger(fcv_model_t *model, json_t *obj, fcf_err_t *err);
int fcv_model_put_metrics(fcv_model_t *model, json_t *obj, fcf_err_t *err);

/* the place of that id; ndrives or nnics if there is none */
unsigned fcv_model_find_drive(const fcv_model_t *model, const char *id);
unsigned fcv_model_find_nic(const fcv_model_t *model, const char *id);

/* what Firecracker looks at, and opens, at the start only */
int fcv_model_check_start(const fcv_model_t *model, fcf_err_t *err);
int fcv_model_open_serial(fcv_model_t *model, fcf_err_t *err);
/* one line; 0 also if nobody wants them */
int fcv_model_flush_metrics(fcv_model_t *model, fcf_err_t *err);

/* for GET /vm/config; a new reference */
json_t *fcv_model_config(const fcv_model_t *model);
const char *fcv_model_boot_args(const fcv_model_t *model);

#endif /* _FCV_MODEL_H_INCLUDED_ */
