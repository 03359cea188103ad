/* What the files of check*.c share. */

#ifndef _FCA_CHECK_INT_H_INCLUDED_
#define _FCA_CHECK_INT_H_INCLUDED_

#include "agent/base/loop.h"
#include "agent/check.h"
#include "client/fcf_etcd.h"

typedef struct {
    int          failed;
    int          beside;        /* an agent with these settings runs */
    uv_loop_t    uv;
    uv_timer_t   deadline;      /* keeps the loop running, for so long */
    fcf_loop_t   loop;
} fca_check_t;

/* remedy: NULL if it is well */
void fca_check_say(fca_check_t *check, const char *what, const char *remedy,
    const char *fmt, ...) fcf_printf_like(4, 5);
/* nothing that fails, but that one may want to know */
void fca_check_note(const char *what, const char *fmt, ...)
    fcf_printf_like(2, 3);

/* check_front.c: what is to take connections before the agent's ports */
void fca_check_front(fca_check_t *check, const fca_conf_t *conf);

/* check.c: until a callback stops the loop, or as long as a peer may take */
void fca_check_wait(fca_check_t *check);

/* check_images.c */
void fca_check_runtimes(fca_check_t *check, const fca_conf_t *conf);
/* of those that etcd names for versions to come */
void fca_check_pinned(fca_check_t *check, const fca_conf_t *conf,
    fcf_etcd_t *etcd);

/* check_host.c: what needs no peer and changes nothing */
void fca_check_host(fca_check_t *check, const fca_conf_t *conf);

#endif /* _FCA_CHECK_INT_H_INCLUDED_ */
