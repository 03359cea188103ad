/* What the parts of an instant machine share. */

#ifndef _FCV_INSTANT_H_INCLUDED_
#define _FCV_INSTANT_H_INCLUDED_

#include "vm/init/config.h"
#include "vm/init/output.h"
#include "vm/vmm/backend.h"
#include "vm/vmm/instant_conf.h"
#include "vm/vmm/instant_net.h"
#include "vm/vmm/instant_tcp.h"

typedef struct {
    fcv_vm_t            *vm;
    fcv_instant_conf_t   conf;
    fcv_config_t         config;        /* the config drive */
    fcv_output_t         output;        /* what the function "wrote" */
    uint64_t             answered;
    int                  announce;      /* done is to be called */
    int                  listens;       /* its guest is up */
    int                  clone;         /* of a snapshot */
} fcv_instant_t;

/* one instance a process, as lwIP is */
extern fcv_instant_t  fcv_instant;

/* the guest's console */
void fcv_instant_say(const char *fmt, ...) fcf_printf_like(1, 2);
/* the machine ends as a guest with reboot=k does */
void fcv_instant_end(void *unused);

int fcv_instant_http_listen(unsigned port, fcf_err_t *err);
int fcv_instant_control_listen(fcf_err_t *err);
/* the function wrote something: to those who follow */
void fcv_instant_control_output(void);

#endif /* _FCV_INSTANT_H_INCLUDED_ */
