/*
 * The older iptables (iptables-legacy): rules that nftables does not show, of
 * which no notice tells.  They are read as iptables itself does; asking for a
 * table makes it, so that is done only for one that is there.
 */

#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netfilter_ipv4/ip_tables.h>

#include "agent/net/net_foreign.h"

#define LEGACY_NAMES  "/proc/net/ip_tables_names"
#define LEGACY_TABLE  "filter"
#define LEGACY_DROP   (-NF_DROP - 1)
#define LEGACY_MAX    (64u << 20)

/* one that others put theirs into, over Docker's own reloads */
#define DOCKER_USER   "DOCKER-USER"

typedef struct {
    const struct ipt_getinfo  *info;
    const char                *entries;
} legacy_t;


static int
aligned(size_t off)
{
    return off % XT_ALIGN(1) == 0;
}


/* NULL: what is there is no entry that ends within the table */
static const struct ipt_entry *
entry_at(const legacy_t *t, size_t off)
{
    const struct ipt_entry  *e;

    if (!aligned(off) || off + sizeof(*e) > t->info->size) {
        return NULL;
    }

    e = (const void *) (t->entries + off);

    return aligned(e->next_offset) && aligned(e->target_offset)
           && e->next_offset >= e->target_offset
                                + sizeof(struct xt_entry_target)
           && e->target_offset >= sizeof(*e)
           && off + e->next_offset <= t->info->size ? e : NULL;
}


static const struct xt_entry_target *
entry_target(const struct ipt_entry *e)
{
    return (const void *) ((const char *) e + e->target_offset);
}


/* the verdict of one that has no other target; else 0, which is a jump */
static int
entry_verdict(const struct ipt_entry *e)
{
    const struct xt_standard_target  *t = (const void *) entry_target(e);

    return t->target.u.user.name[0] == '\0'
           && e->next_offset >= e->target_offset + sizeof(*t)
           ? t->verdict : 0;
}


static int
target_is(const struct ipt_entry *e, const char *name)
{
    return strncmp(entry_target(e)->u.user.name, name,
                   sizeof(entry_target(e)->u.user.name)) == 0;
}


/* for everything that comes to it */
static int
entry_takes_all(const struct ipt_entry *e)
{
    static const struct ipt_ip  any;

    return e->target_offset == sizeof(*e)
           && memcmp(&e->ip, &any, sizeof(any)) == 0;
}


/* its policy, or the last rule before that */
static int
chain_drops(const legacy_t *t, int hook)
{
    size_t                   off, end;
    const struct ipt_entry  *e, *last;

    last = NULL;
    off = t->info->hook_entry[hook];
    end = t->info->underflow[hook];

    while (off < end && (e = entry_at(t, off)) != NULL) {
        last = e;
        off += e->next_offset;
    }

    e = entry_at(t, end);

    return (e != NULL && entry_verdict(e) == LEGACY_DROP)
           || (last != NULL && entry_takes_all(last)
               && (entry_verdict(last) == LEGACY_DROP
                   || target_is(last, "REJECT")));
}


/* "-m conntrack" or "-m state"; what of it, is not looked into */
static int
entry_asks_state(const struct ipt_entry *e)
{
    size_t                        off;
    const struct xt_entry_match  *m;

    for (off = sizeof(*e); off + sizeof(*m) <= e->target_offset;
         off += m->u.match_size)
    {
        m = (const void *) ((const char *) e + off);

        if (strncmp(m->u.user.name, "conntrack", 10) == 0
            || strncmp(m->u.user.name, "state", 6) == 0)
        {
            return 1;
        }

        if (m->u.match_size < sizeof(*m) || !aligned(m->u.match_size)) {
            break;
        }
    }

    return 0;
}


static int
entry_serves(const struct ipt_entry *e, int in, int answers,
    const char *bridge)
{
    const char  *way;

    way = in ? e->ip.iniface : e->ip.outiface;

    if (strncmp(way, bridge, IFNAMSIZ) == 0) {
        return 1;
    }

    return answers && e->ip.iniface[0] == '\0' && e->ip.outiface[0] == '\0'
           && entry_verdict(e) == -NF_ACCEPT - 1 && entry_asks_state(e);
}


/* Somewhere in the table, since chains call chains.  A rule that says more is
 * not looked into. */
static int
table_serves(const legacy_t *t, const fca_need_t *need, const char *bridge)
{
    size_t                   off;
    unsigned                 i;
    const struct ipt_entry  *e;

    for (i = 0; i < need->nrules; i++) {

        for (off = 0; (e = entry_at(t, off)) != NULL; off += e->next_offset) {
            if (entry_serves(e, need->rules[i].in, need->rules[i].answers,
                             bridge))
            {
                break;
            }
        }

        if (e == NULL) {
            return 0;
        }
    }

    return 1;
}


/* a chain's head is an entry whose target is its name */
static int
has_chain(const legacy_t *t, const char *name)
{
    size_t                        off;
    const struct ipt_entry       *e;
    const struct xt_error_target *head;

    for (off = 0; (e = entry_at(t, off)) != NULL; off += e->next_offset) {
        head = (const void *) entry_target(e);

        if (target_is(e, XT_ERROR_TARGET)
            && e->next_offset >= e->target_offset + sizeof(*head)
            && strncmp(head->errorname, name, sizeof(head->errorname)) == 0)
        {
            return 1;
        }
    }

    return 0;
}


void
fca_legacy_say(FILE *f, const void *info, const char *entries,
    const char *bridge, int egress)
{
    legacy_t           t = { info, entries };
    unsigned           i, k;
    const char        *where;
    const fca_need_t  *need;

    for (i = 0; i < FCA_NEEDS; i++) {
        need = &fca_needs[i];

        if ((need->egress && !egress)
            || !(t.info->valid_hooks & (1u << need->number))
            || !chain_drops(&t, need->number)
            || table_serves(&t, need, bridge))
        {
            continue;
        }

        where = need->number == NF_INET_FORWARD && has_chain(&t, DOCKER_USER)
                ? DOCKER_USER : need->chain;

        fprintf(f, "chain %s of iptables-legacy's table " LEGACY_TABLE
                " drops what it does not know: %s; let them through with",
                need->chain, need->what);

        for (k = 0; k < need->nrules; k++) {
            fprintf(f, "%s iptables-legacy -I %s -%c %s%s -j ACCEPT",
                    k > 0 ? " ;" : "", where, need->rules[k].in ? 'i' : 'o',
                    bridge, need->rules[k].answers
                    ? " -m conntrack --ctstate ESTABLISHED,RELATED" : "");
        }

        fprintf(f, "\n");
    }
}


int
fca_legacy_there(void)
{
    int    found;
    char   line[XT_TABLE_MAXNAMELEN + 2];
    FILE  *f;

    f = fopen(LEGACY_NAMES, "re");
    if (f == NULL) {
        return 0;
    }

    found = 0;

    while (!found && fgets(line, sizeof(line), f) != NULL) {
        found = strcmp(line, LEGACY_TABLE "\n") == 0;
    }

    fclose(f);

    return found;
}


/* it may change between the two questions: then another time */
static struct ipt_get_entries *
table_read(int fd, struct ipt_getinfo *info)
{
    socklen_t                len;
    struct ipt_get_entries  *get;

    memset(info, 0, sizeof(*info));
    strcpy(info->name, LEGACY_TABLE);
    len = sizeof(*info);

    if (getsockopt(fd, IPPROTO_IP, IPT_SO_GET_INFO, info, &len) != 0
        || info->size > LEGACY_MAX
        || (get = calloc(1, sizeof(*get) + info->size)) == NULL)
    {
        return NULL;
    }

    strcpy(get->name, LEGACY_TABLE);
    get->size = info->size;
    len = (socklen_t) (sizeof(*get) + info->size);

    if (getsockopt(fd, IPPROTO_IP, IPT_SO_GET_ENTRIES, get, &len) != 0) {
        free(get);
        return NULL;
    }

    return get;
}


void
fca_legacy_find(FILE *f, const char *bridge, int egress)
{
    int                      fd;
    struct ipt_getinfo       info;
    struct ipt_get_entries  *get;

    if (!fca_legacy_there()) {
        return;
    }

    fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    if (fd == -1) {
        return;
    }

    get = table_read(fd, &info);
    close(fd);

    if (get != NULL) {
        fca_legacy_say(f, &info, (const char *) get->entrytable, bridge,
                       egress);
        free(get);
    }
}
