/*
 * Prometheus' text format, version 0.0.4, written family by family
 * (https://prometheus.io/docs/instrumenting/exposition_formats/).
 *
 * A failure (out of memory, or over the buffer's maximum) is kept until
 * fca_prom_end() tells it: the calls between need no check.
 */

#ifndef _FCA_PROM_H_INCLUDED_
#define _FCA_PROM_H_INCLUDED_

#include "agent/base/hist.h"
#include "contract/fcf_buf.h"

typedef struct {
    fcf_buf_t   *buf;
    const char  *name;                  /* of the family begun */
    int          rc;
} fca_prom_t;

typedef struct {
    const char  *name, *value;          /* value: any text, escaped */
} fca_label_t;

void fca_prom_begin(fca_prom_t *prom, fcf_buf_t *buf);
/* type: "counter", "gauge" or "histogram"; strings must outlive the family */
void fca_prom_family(fca_prom_t *prom, const char *name, const char *type,
    const char *help);
void fca_prom_value(fca_prom_t *prom, const fca_label_t *labels, size_t n,
    double value);
void fca_prom_hist(fca_prom_t *prom, const fca_label_t *labels, size_t n,
    const fca_hist_t *hist);
/* a family of one sample without labels */
void fca_prom_one(fca_prom_t *prom, const char *name, const char *type,
    const char *help, double value);
/* 0, or what fcf_buf_add() returned */
int fca_prom_end(fca_prom_t *prom) fcf_must_check;

#endif /* _FCA_PROM_H_INCLUDED_ */
