/*
 * What is wrong with an installation.  Each part is looked at by a file of its
 * own, which tells what it finds, and the remedy where there is one; parts that
 * need one that does not answer say nothing.
 */

#ifndef _FCC_DOCTOR_H_INCLUDED_
#define _FCC_DOCTOR_H_INCLUDED_

#include "cli/table.h"

typedef enum {
    FCC_WELL = 0,
    FCC_NOTE,                           /* worth to know, nothing is wrong */
    FCC_WRONG,
    FCC_FINDINGS
} fcc_finding_e;

typedef struct {
    fcc_t        *fcc;
    fcc_table_t   table;
    json_t       *json;                 /* NULL: a table */
    unsigned      n[FCC_FINDINGS];
} fcc_doctor_t;

/* part: "etcd", "node", ...; name: which one of them; remedy: what to do, or
 * NULL */
void fcc_find(fcc_doctor_t *doctor, fcc_finding_e how, const char *part,
    const char *name, const char *remedy, const char *fmt, ...)
    fcf_printf_like(6, 7);

/* date_s: what time it is there, Unix time; 0: it did not say */
void fcc_find_clock(fcc_doctor_t *doctor, const char *part, const char *name,
    int64_t date_s);

/* 0: it answers, so that others can be looked at */
int fcc_doctor_etcd(fcc_doctor_t *doctor);
void fcc_doctor_redis(fcc_doctor_t *doctor);
void fcc_doctor_gateway(fcc_doctor_t *doctor);
void fcc_doctor_nodes(fcc_doctor_t *doctor);
void fcc_doctor_functions(fcc_doctor_t *doctor);
void fcc_doctor_runtimes(fcc_doctor_t *doctor);

/* doctor_functions.c.  1: one of the stores that it names has it, or it names
 * none; 0: none has it; -1: of those that may have it one does not tell, *err
 * says why */
int fcc_stores_have(fcc_t *fcc, const fcf_image_t *image, fcf_err_t *err)
    fcf_must_check;

#endif /* _FCC_DOCTOR_H_INCLUDED_ */
