#include <arpa/inet.h>
#include <endian.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <nftables/libnftables.h>

#include "agent/net/net_int.h"
#include "agent/net/net_nl.h"

/* what the rules are compared by: sets that guests or the agent change all
 * the time, and counters, are left out */
#define LIST_FLAGS  (NFT_CTX_OUTPUT_STATELESS | NFT_CTX_OUTPUT_TERSE)

static const char *const  families[FCA_NFT_TABLES] = { "bridge", "inet" };


struct nft_ctx *
fca_nft_new(fcf_err_t *err)
{
    struct nft_ctx  *nft;

    nft = nft_ctx_new(NFT_CTX_DEFAULT);

    if (nft == NULL
        || nft_ctx_buffer_error(nft) != 0
        || nft_ctx_buffer_output(nft) != 0)
    {
        if (nft != NULL) {
            nft_ctx_free(nft);
        }

        fcf_err_set(err, FCF_E_NOMEM, "nftables: out of memory");
        return NULL;
    }

    return nft;
}


/* out: where not NULL, what it printed, until the next call */
static int
nft_run(fca_net_t *net, const char *cmd, const char **out, fcf_err_t *err)
{
    int          rc;
    size_t       n;
    const char  *words, *text;

    net->nft_runs++;
    rc = nft_run_cmd_from_buffer(net->nft, cmd);

    /* both buffers must be taken, or they grow */
    words = nft_ctx_get_error_buffer(net->nft);
    text = nft_ctx_get_output_buffer(net->nft);

    if (rc == 0) {
        if (out != NULL) {
            *out = text;
        }

        return 0;
    }

    n = strcspn(words, "\n");

    return fcf_err_set(err, FCF_E_SYSTEM, "nftables: %.*s", (int) n,
                       n > 0 ? words : "refused");
}


/*
 * A transaction of ours.  Where it alone made the generation that follows, its
 * notice needs no look at the rules.
 */
static int
nft_change(fca_net_t *net, const char *cmd, fcf_err_t *err)
{
    int       rc, known;
    uint32_t  before, after;

    known = fca_guard_generation(net, &before, NULL) == 0;
    rc = nft_run(net, cmd, NULL, err);

    if (rc == 0 && known && fca_guard_generation(net, &after, NULL) == 0
        && after == before + 1)
    {
        fca_guard_own(net, after);
    }

    return rc;
}


/* runs what was written to *f and frees both; change: it is no question */
static int
nft_run_stream(fca_net_t *net, FILE *f, char **text, int change,
    fcf_err_t *err)
{
    int  rc;

    if (f == NULL || fclose(f) != 0) {
        rc = fcf_err_set(err, FCF_E_NOMEM, "nftables: out of memory");

    } else if (change) {
        rc = nft_change(net, *text, err);

    } else {
        rc = nft_run(net, *text, NULL, err);
    }

    free(*text);
    *text = NULL;

    return rc;
}


int
fca_nft_load(fca_net_t *net, fcf_err_t *err)
{
    char    *text = NULL;
    FILE    *f;
    size_t   len;

    net->strays = 0;            /* the counter is a new one */
    f = open_memstream(&text, &len);

    if (f != NULL) {
        fca_rules_bridge(net, f);
        fca_rules_inet(net, f);
    }

    return nft_run_stream(net, f, &text, 1, err);
}


static int
nft_list(fca_net_t *net, const char *what, const char *family,
    const char *name, unsigned flags, const char **out, fcf_err_t *err)
{
    int   rc;
    char  cmd[128];

    snprintf(cmd, sizeof(cmd), "list %s %s %s%s", what, family, net->table,
             name);

    nft_ctx_output_set_flags(net->nft, flags);
    rc = nft_run(net, cmd, out, err);
    nft_ctx_output_set_flags(net->nft, 0);

    return rc;
}


/* The tables as the kernel shows them when they are as they should be; that
 * nobody changed them between loading and listing is for the caller to see. */
int
fca_nft_learn(fca_net_t *net, fcf_err_t *err)
{
    size_t       i;
    const char  *text;

    for (i = 0; i < FCA_NFT_TABLES; i++) {
        if (nft_list(net, "table", families[i], "", LIST_FLAGS, &text, err)
            != 0)
        {
            return -1;
        }

        free(net->rules[i]);
        net->rules[i] = strdup(text);

        if (net->rules[i] == NULL) {
            return fcf_err_set(err, FCF_E_NOMEM, "nftables: out of memory");
        }
    }

    return 0;
}


/* each NIC that is armed has its element, and nobody else has one */
static int
nft_check_elements(fca_net_t *net, fcf_err_t *err)
{
    char            want[128];
    FILE           *f;
    size_t          n;
    const char     *list, *p;
    fca_net_nic_t  *nic;

    if (nft_list(net, "set", "bridge", " nics", 0, &list, err) != 0) {
        return -1;
    }

    n = 0;

    for (p = list; (p = strstr(p, "\" . ")) != NULL; p++) {
        n++;
    }

    TAILQ_FOREACH(nic, &net->armed, arm) {
        f = fmemopen(want, sizeof(want), "w");
        if (f == NULL) {
            return fcf_err_set(err, FCF_E_NOMEM, "nftables: out of memory");
        }

        fca_rules_element(f, &nic->nic);
        fclose(f);

        if (strstr(list, want) == NULL) {
            return fcf_err_set(err, FCF_E_INVALID, "%s was taken out of the "
                               "set nics", nic->nic.tap);
        }

        n--;
    }

    return n == 0 ? 0 : fcf_err_set(err, FCF_E_INVALID, "something was added "
                                    "to the set nics");
}


int
fca_nft_check(fca_net_t *net, fcf_err_t *err)
{
    size_t       i;
    fcf_err_t    why;
    const char  *text;

    /* one by one: libnftables 1.0.6 looks for the second's table in the cache
     * that it filled for the first */
    for (i = 0; i < FCA_NFT_TABLES; i++) {
        if (nft_list(net, "table", families[i], "", LIST_FLAGS, &text, &why)
            != 0)
        {
            return fcf_err_set(err, FCF_E_NOT_FOUND, "the table %s %s "
                               "was deleted", families[i], net->table);
        }

        if (strcmp(text, net->rules[i]) != 0) {
            return fcf_err_set(err, FCF_E_INVALID, "the table %s %s "
                               "was changed", families[i], net->table);
        }
    }

    return nft_check_elements(net, err);
}


static int
strays_valid(struct nl_msg *msg, void *arg)
{
    uint64_t       *packets = arg, n;
    struct nlattr  *obj[NFTA_OBJ_MAX + 1], *counter[NFTA_COUNTER_MAX + 1];

    if (nlmsg_parse(nlmsg_hdr(msg), sizeof(struct nfgenmsg), obj, NFTA_OBJ_MAX,
                    NULL) == 0
        && obj[NFTA_OBJ_DATA] != NULL
        && nla_parse_nested(counter, NFTA_COUNTER_MAX, obj[NFTA_OBJ_DATA],
                            NULL) == 0
        && counter[NFTA_COUNTER_PACKETS] != NULL)
    {
        memcpy(&n, nla_data(counter[NFTA_COUNTER_PACKETS]), sizeof(n));
        *packets = be64toh(n);
    }

    return NL_OK;
}


/* By netlink itself: it is asked for every two seconds, and libnftables reads
 * all the host's rules to find one. */
int
fca_nft_strays(fca_net_t *net, uint64_t *packets)
{
    struct nl_msg    *msg;
    struct nfgenmsg   head = { .nfgen_family = NFPROTO_INET,
                               .version = NFNETLINK_V0 };

    *packets = UINT64_MAX;
    msg = fca_nl_msg(FCA_NFNL(NFTABLES, NFT_MSG_GETOBJ), 0, &head,
                     sizeof(head));

    if (msg != NULL
        && (nla_put_string(msg, NFTA_OBJ_TABLE, net->table) < 0
            || nla_put_string(msg, NFTA_OBJ_NAME, "stray") < 0
            || nla_put_u32(msg, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER)) < 0))
    {
        nlmsg_free(msg);
        msg = NULL;
    }

    return fca_nl_ask(net->nfsk, msg, 0, strays_valid, packets,
                      "asking for a counter", NULL) == 0
           && *packets != UINT64_MAX ? 0 : -1;
}


/* It keeps what it has read, and what it was given by malloc() for that. */
void
fca_nft_rest(fca_net_t *net)
{
    struct nft_ctx  *nft;

    if (net->nft_runs == net->nft_rested
        || (nft = fca_nft_new(NULL)) == NULL)
    {
        return;
    }

    nft_ctx_free(net->nft);
    net->nft = nft;
    net->nft_rested = net->nft_runs;

    (void) malloc_trim(0);
}


int
fca_nft_keep(fca_net_t *net, const char *elements, fcf_err_t *err)
{
    int    rc;
    char  *cmd;

    if (asprintf(&cmd, "flush set inet %s kept\n"
                 "add element inet %s kept { %s }\n", net->table, net->table,
                 elements) < 0)
    {
        return fcf_err_set(err, FCF_E_NOMEM, "nftables: out of memory");
    }

    rc = nft_change(net, cmd, err);
    free(cmd);

    return rc;
}


int
fca_nft_remove(fca_net_t *net, fcf_err_t *err)
{
    char  cmd[256];

    /* made first, so that deleting works whether they exist or not */
    snprintf(cmd, sizeof(cmd),
             "table bridge %s\ndelete table bridge %s\n"
             "table inet %s\ndelete table inet %s\n",
             net->table, net->table, net->table, net->table);

    return nft_change(net, cmd, err);
}


/* armed: whether those are meant that have their element, or those of op */
static int
nft_elements(fca_net_t *net, const char *verb, fca_net_queue_t *nics,
    int armed, fca_net_op_e op, fcf_err_t *err)
{
    int             n;
    char           *text = NULL;
    FILE           *f;
    size_t          len;
    fca_net_nic_t  *nic;

    n = 0;
    f = open_memstream(&text, &len);

    if (f != NULL) {
        fprintf(f, "%s element bridge %s nics {", verb, net->table);

        STAILQ_FOREACH(nic, nics, next) {
            if (!nic->failed && nic->armed == armed
                && (armed || nic->op == op))
            {
                fprintf(f, "%s", n++ > 0 ? ", " : " ");
                fca_rules_element(f, &nic->nic);
            }
        }

        fprintf(f, " }\n");

        if (n == 0) {
            fclose(f);
            free(text);
            return 0;
        }
    }

    return nft_run_stream(net, f, &text, verb[0] != 'g', err);
}


int
fca_nft_add(fca_net_t *net, fca_net_queue_t *nics, fcf_err_t *err)
{
    return nft_elements(net, "add", nics, 0, FCA_NET_MAKE, err);
}


int
fca_nft_delete(fca_net_t *net, fca_net_queue_t *nics, fcf_err_t *err)
{
    return nft_elements(net, "delete", nics, 1, FCA_NET_DOOM, err);
}


int
fca_nft_verify(fca_net_t *net, fca_net_queue_t *nics, fcf_err_t *err)
{
    /* libnftables reads all the host's rules for it: while somebody waits for
     * the NIC, only where somebody may have changed them */
    return fca_guard_unchanged(net) ? 0
           : nft_elements(net, "get", nics, 1, FCA_NET_TAKE, err);
}
