/* What is said of the older iptables' rules, for tables as the kernel shows
 * them. */

#include <netinet/in.h>
#include <stdlib.h>

#include <linux/netfilter_ipv4/ip_tables.h>

#include "agent/net/net_foreign.h"
#include "t/unit/tap.h"

static char                buf[8192] __attribute__((aligned(16)));
static struct ipt_getinfo  info;


/* target: "", and a verdict; another's name; or XT_ERROR_TARGET, and a chain */
static struct ipt_entry *
rule(const char *in, const char *out, const char *match, const char *target,
    int verdict, const char *chain)
{
    size_t                   size;
    struct ipt_entry        *e;
    struct xt_entry_match   *m;
    struct xt_error_target  *t;

    e = (void *) (buf + info.size);
    memset(e, 0, 512);
    strcpy(e->ip.iniface, in);
    strcpy(e->ip.outiface, out);
    memset(e->ip.iniface_mask, 0xff, *in ? strlen(in) + 1 : 0);
    memset(e->ip.outiface_mask, 0xff, *out ? strlen(out) + 1 : 0);
    size = sizeof(*e);

    if (*match) {
        m = (void *) (buf + info.size + size);
        m->u.match_size = XT_ALIGN(sizeof(*m) + 8);
        strcpy(m->u.user.name, match);
        size += m->u.match_size;
    }

    e->target_offset = (uint16_t) size;
    t = (void *) (buf + info.size + size);
    strcpy(t->target.u.user.name, target);
    ((struct xt_standard_target *) t)->verdict = verdict;

    if (chain) {
        strcpy(t->errorname, chain);
    }

    size += strcmp(target, XT_ERROR_TARGET) == 0 ? XT_ALIGN(sizeof(*t))
            : XT_ALIGN(sizeof(struct xt_standard_target));
    t->target.u.target_size = (uint16_t) (size - e->target_offset);
    e->next_offset = (uint16_t) size;
    info.size += (unsigned) size;
    info.num_entries++;

    return e;
}


static void
begin(void)
{
    memset(&info, 0, sizeof(info));
    info.valid_hooks = 1u << NF_INET_LOCAL_IN | 1u << NF_INET_FORWARD
                       | 1u << NF_INET_LOCAL_OUT;
}


static void
chain(int hook)
{
    info.hook_entry[hook] = info.size;
}


static void
policy(int hook, int verdict)
{
    info.underflow[hook] = info.size;
    rule("", "", "", "", -verdict - 1, NULL);
}


/* what is said of it */
static const char *
said(int egress)
{
    FILE         *f;
    static char   text[2048];

    memset(text, 0, sizeof(text));
    f = fmemopen(text, sizeof(text) - 1, "w");
    fca_legacy_say(f, &info, buf, "br0", egress);
    fclose(f);

    return text;
}


/* INPUT and OUTPUT accept, FORWARD has that policy and what is added between */
static void
forward_begin(void)
{
    begin();
    chain(NF_INET_LOCAL_IN);
    policy(NF_INET_LOCAL_IN, NF_ACCEPT);
    chain(NF_INET_FORWARD);
}


static void
forward_end(int verdict)
{
    policy(NF_INET_FORWARD, verdict);
    chain(NF_INET_LOCAL_OUT);
    policy(NF_INET_LOCAL_OUT, NF_ACCEPT);
    rule("", "", "", XT_ERROR_TARGET, 0, "ERROR");
}


static void
test_forward(void)
{
    forward_begin();
    forward_end(NF_ACCEPT);
    is_str(said(1), "", "a policy of accept");

    forward_begin();
    rule("eth0", "", "", "", -NF_ACCEPT - 1, NULL);
    forward_end(NF_DROP);
    is_str(said(0), "", "drop, but guests have no egress");
    is_str(said(1), "chain FORWARD of iptables-legacy's table filter drops "
           "what it does not know: guests reach nothing outside; let them "
           "through with iptables-legacy -I FORWARD -i br0 -j ACCEPT ; "
           "iptables-legacy -I FORWARD -o br0 -m conntrack --ctstate "
           "ESTABLISHED,RELATED -j ACCEPT\n", "drop: by name, and what to do");

    forward_begin();
    rule("br0", "", "", "", -NF_ACCEPT - 1, NULL);
    forward_end(NF_DROP);
    ok(strstr(said(1), "FORWARD -o br0"), "half of it is not enough");

    forward_begin();
    rule("br0", "", "", "", -NF_ACCEPT - 1, NULL);
    rule("", "", "conntrack", "", -NF_ACCEPT - 1, NULL);
    forward_end(NF_DROP);
    is_str(said(1), "", "answers to all, and the bridge");

    forward_begin();
    rule("br0", "", "", "", -NF_ACCEPT - 1, NULL);
    rule("", "", "conntrack", "", -NF_DROP - 1, NULL);
    forward_end(NF_DROP);
    ok(*said(1), "what drops states lets no answer through");

    forward_begin();
    rule("", "br0", "state", "", -NF_ACCEPT - 1, NULL);
    rule("br0", "", "", "", -NF_ACCEPT - 1, NULL);
    forward_end(NF_DROP);
    is_str(said(1), "", "both by the bridge");
}


static void
test_last_rule(void)
{
    forward_begin();
    rule("", "", "", "REJECT", 0, NULL);
    forward_end(NF_ACCEPT);
    ok(strstr(said(1), "chain FORWARD"), "a last rule that rejects all");

    forward_begin();
    rule("", "", "", "", -NF_DROP - 1, NULL);
    forward_end(NF_ACCEPT);
    ok(strstr(said(1), "chain FORWARD"), "or drops all");

    forward_begin();
    rule("eth0", "", "", "REJECT", 0, NULL);
    forward_end(NF_ACCEPT);
    is_str(said(1), "", "or some");

    forward_begin();
    rule("", "", "", "REJECT", 0, NULL);
    rule("eth0", "", "", "", -NF_ACCEPT - 1, NULL);
    forward_end(NF_ACCEPT);
    is_str(said(1), "", "one that is not the last is not looked into");
}


static void
test_others(void)
{
    begin();
    chain(NF_INET_LOCAL_IN);
    policy(NF_INET_LOCAL_IN, NF_DROP);
    chain(NF_INET_FORWARD);
    policy(NF_INET_FORWARD, NF_DROP);
    chain(NF_INET_LOCAL_OUT);
    policy(NF_INET_LOCAL_OUT, NF_DROP);
    rule("", "", "", XT_ERROR_TARGET, 0, "DOCKER-USER");
    ok(strstr(said(1), "-I DOCKER-USER -i br0"), "where Docker wants it");
    ok(strstr(said(1), "-I INPUT -i br0 -m conntrack"), "guests' answers");
    ok(strstr(said(0), "-I OUTPUT -o br0 -j ACCEPT"), "and what they get");
    info.valid_hooks = 0;
    is_str(said(1), "", "no chain at all");
}


/* whatever is there: nothing behind it is read */
static void
test_broken(void)
{
    unsigned  i, size;

    begin();
    info.hook_entry[NF_INET_FORWARD] = 100000;
    info.underflow[NF_INET_FORWARD] = 200000;
    is_str(said(1), "", "offsets behind the end");

    forward_begin();
    rule("", "", "conntrack", "", -NF_ACCEPT - 1, NULL);
    forward_end(NF_DROP);
    size = info.size;

    for (i = 0; i < size; i++) {
        buf[i] ^= (char) 0xff;
        (void) said(1);
        buf[i] ^= (char) 0xff;
    }

    for (info.size = 0; info.size < size; info.size++) {
        (void) said(1);
    }

    ok(1, "bytes that are not as they should be");
}


int
main(void)
{
    test_forward();
    test_last_rule();
    test_others();
    test_broken();

    return tap_done();
}
