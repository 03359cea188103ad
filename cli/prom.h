/* Values out of Prometheus' text format. */

#ifndef _FCC_PROM_H_INCLUDED_
#define _FCC_PROM_H_INCLUDED_

/* 1: *value is that of the metric, which has no labels */
int fcc_prom_value(const char *text, const char *name, double *value);
/* each value of a metric that has the label, with what that is */
void fcc_prom_each(const char *text, const char *name, const char *label,
    void (*each)(void *arg, const char *value_of_label, double value),
    void *arg);

#endif /* _FCC_PROM_H_INCLUDED_ */
