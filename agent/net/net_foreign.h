/* What others' rules must let through for guests, whoever keeps them: nftables
 * (net_foreign.c), or the older iptables in the kernel (net_legacy.c). */

#ifndef _FCA_NET_FOREIGN_H_INCLUDED_
#define _FCA_NET_FOREIGN_H_INCLUDED_

#include <stddef.h>
#include <stdio.h>

#define FCA_NEEDS  3

typedef struct {
    const char  *hook;                  /* as nftables calls it */
    const char  *chain;                 /* as iptables does */
    int          number;                /* NF_INET_* */
    int          egress;                /* only guests with egress need it */
    const char  *what;                  /* where it is dropped */
    struct {
        int   in;                       /* by the bridge, or out of it */
        int   answers;                  /* those alone */
    }            rules[2];
    unsigned     nrules;
} fca_need_t;

extern const fca_need_t  fca_needs[FCA_NEEDS];

/* somebody uses the older iptables here */
int fca_legacy_there(void);
/* Reads table filter of the older iptables, if somebody uses that here, and
 * says what it drops, a line for each chain, with the rules that would do. */
void fca_legacy_find(FILE *f, const char *bridge, int egress);
/* The same of a table as the kernel shows it: info is a struct ipt_getinfo,
 * entries what lies behind it, info's size bytes. */
void fca_legacy_say(FILE *f, const void *info, const char *entries,
    const char *bridge, int egress);

#endif /* _FCA_NET_FOREIGN_H_INCLUDED_ */
