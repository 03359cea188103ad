/* Values out of Prometheus' text format. */

#ifndef _FCC_PROM_H_INCLUDED_
#define _FCC_PROM_H_INCLUDED_

typedef struct {
    const char   *name;                 /* of the metric */
    const char   *label;                /* that is told */
    const char   *with, *is;            /* another label, and its value; NULL:
                                           whatever it has */
} fcc_prom_want_t;

/* each value of a metric that has the label, with what that is */
void fcc_prom_each(const char *text, const fcc_prom_want_t *want,
    void (*each)(void *arg, const char *value_of_label, double value),
    void *arg);

#endif /* _FCC_PROM_H_INCLUDED_ */
