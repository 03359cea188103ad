/*
 * What others' rules do to guests.  Ours accept, but each table has its say: a
 * chain that drops what it does not know, as Docker's and most firewalls' do,
 * cuts guests off without a word.
 */

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter.h>
#include <nftables/libnftables.h>

#include "agent/base/log.h"
#include "agent/net/net_foreign.h"
#include "agent/net/net_int.h"

#define NAME_MAX_LEN  64

/* a base chain, as "list chains" shows it */
typedef struct {
    char  family[NAME_MAX_LEN], table[NAME_MAX_LEN], chain[NAME_MAX_LEN];
    char  type[NAME_MAX_LEN], hook[NAME_MAX_LEN];
    int   drops;                        /* by its policy */
} chain_t;

#define ANSWERS  "ct state established,related "

const fca_need_t  fca_needs[FCA_NEEDS] = {
    { "forward", "FORWARD", NF_INET_FORWARD, 1,
      "guests reach nothing outside", { { 1, 0 }, { 0, 1 } }, 2 },
    { "input", "INPUT", NF_INET_LOCAL_IN, 0,
      "this host does not hear guests' answers", { { 1, 1 } }, 1 },
    { "output", "OUTPUT", NF_INET_LOCAL_OUT, 0,
      "this host does not reach its guests", { { 0, 0 } }, 1 },
};


static const char *
way_name(int in)
{
    return in ? "iifname" : "oifname";
}


/* what nft prints, a copy; NULL: it cannot be had */
static char *
nft_print(struct nft_ctx *nft, const char *cmd)
{
    int          rc;
    char        *text;
    const char  *out;

    nft_ctx_output_set_flags(nft, NFT_CTX_OUTPUT_STATELESS);
    rc = nft_run_cmd_from_buffer(nft, cmd);
    nft_ctx_output_set_flags(nft, 0);

    (void) nft_ctx_get_error_buffer(nft);
    out = nft_ctx_get_output_buffer(nft);
    text = rc == 0 ? strdup(out) : NULL;

    return text;
}


/* The next base chain from *p on; 0: none is left.  What a name is cut to here
 * cannot be asked for, and is passed over then. */
static int
chain_next(const char **p, chain_t *chain)
{
    char         line[512];
    size_t       n;
    const char  *s;

    while (**p != '\0') {
        n = strcspn(*p, "\n");
        snprintf(line, sizeof(line), "%.*s", (int) n, *p);
        *p += n + ((*p)[n] == '\n');

        if (sscanf(line, "table %63s %63s {", chain->family, chain->table)
            == 2
            || sscanf(line, " chain %63s {", chain->chain) == 1)
        {
            continue;
        }

        if (sscanf(line, " type %63s hook %63s", chain->type, chain->hook)
            != 2)
        {
            continue;
        }

        s = strstr(line, "policy ");
        chain->drops = s != NULL && strncmp(s, "policy drop", 11) == 0;

        return 1;
    }

    return 0;
}


static int
chain_is_ours(const chain_t *chain)
{
    return strncmp(chain->table, FCA_NET_TABLE, sizeof(FCA_NET_TABLE) - 1)
           == 0;
}


/* the last rule, if it is one for everything that is left */
static int
ends_in_drop(const char *text)
{
    size_t       n;
    const char  *line, *last, *p;

    last = "";

    for (line = text; *line != '\0'; line += n + (line[n] == '\n')) {
        n = strcspn(line, "\n");
        p = line + strspn(line, " \t");

        if (p < line + n && *p != '}' && strncmp(p, "type ", 5) != 0) {
            last = p;
        }
    }

    if (strncmp(last, "counter ", 8) == 0) {
        last += 8;
    }

    return strncmp(last, "drop", 4) == 0 || strncmp(last, "reject", 6) == 0;
}


static char *
chain_print(struct nft_ctx *nft, const char *what, const chain_t *chain)
{
    char  cmd[4 * NAME_MAX_LEN];

    snprintf(cmd, sizeof(cmd), "list %s %s %s %s", what, chain->family,
             chain->table, strcmp(what, "chain") == 0 ? chain->chain : "");

    return nft_print(nft, cmd);
}


/* a rule for answers on every device */
static int
line_lets_answers(const char *line, size_t n)
{
    return memmem(line, n, "established", 11) != NULL
           && memmem(line, n, "accept", 6) != NULL
           && memmem(line, n, "ifname", 6) == NULL;
}


/* Somewhere in the table, since chains call chains: is each of the rules that
 * are needed there in some form?  A rule that says more than that is not
 * looked into. */
static int
table_lets_through(const char *text, const fca_need_t *need,
    const char *bridge)
{
    char         name[64];
    size_t       i, n;
    const char  *line;

    for (i = 0; i < need->nrules; i++) {
        snprintf(name, sizeof(name), "%s \"%s\"",
                 way_name(need->rules[i].in), bridge);

        if (strstr(text, name) != NULL) {
            continue;
        }

        if (!need->rules[i].answers) {
            return 0;
        }

        for (line = text; *line != '\0'; line += n + (line[n] == '\n')) {
            n = strcspn(line, "\n");

            if (line_lets_answers(line, n)) {
                break;
            }
        }

        if (*line == '\0') {
            return 0;
        }
    }

    return 1;
}


static void
foreign_say(FILE *f, const chain_t *chain, const fca_need_t *need,
    const char *text, const char *bridge)
{
    size_t       i;
    const char  *where;

    /* Docker keeps what others put there over its own reloads */
    where = strstr(text, "chain DOCKER-USER {") != NULL ? "DOCKER-USER"
                                                        : chain->chain;

    fprintf(f, "chain %s of table %s %s drops what it does not know: %s; let "
            "them through with", chain->chain, chain->family, chain->table,
            need->what);

    for (i = 0; i < need->nrules; i++) {
        fprintf(f, "%s nft insert rule %s %s %s %s \"%s\" %saccept",
                i > 0 ? " ;" : "", chain->family, chain->table, where,
                way_name(need->rules[i].in), bridge,
                need->rules[i].answers ? ANSWERS : "");
    }

    fprintf(f, "\n");
}


static void
foreign_chain(struct nft_ctx *nft, FILE *f, const chain_t *chain,
    const char *bridge, int egress)
{
    int            drops;
    char          *rules, *table;
    size_t         i;
    const fca_need_t  *need;

    need = NULL;

    for (i = 0; i < FCA_NEEDS; i++) {
        if (strcmp(chain->hook, fca_needs[i].hook) == 0
            && (egress || !fca_needs[i].egress))
        {
            need = &fca_needs[i];
        }
    }

    if (need == NULL || chain_is_ours(chain)
        || strcmp(chain->type, "filter") != 0
        || (strcmp(chain->family, "ip") != 0
            && strcmp(chain->family, "inet") != 0))
    {
        return;
    }

    rules = chain_print(nft, "chain", chain);
    table = chain_print(nft, "table", chain);
    drops = chain->drops || (rules != NULL && ends_in_drop(rules));

    if (drops && table != NULL && !table_lets_through(table, need, bridge)) {
        foreign_say(f, chain, need, table, bridge);
    }

    free(rules);
    free(table);
}


/* *text is the caller's to free; "" if there is nothing, or it cannot be had */
static void
foreign_find(struct nft_ctx *nft, const char *bridge, int egress, char *text,
    size_t size)
{
    char        *chains;
    FILE        *f;
    chain_t      chain = { .drops = 0 };
    const char  *p;

    text[0] = '\0';
    chains = nft_print(nft, "list chains");
    f = fmemopen(text, size, "w");

    if (chains != NULL && f != NULL) {
        p = chains;

        while (chain_next(&p, &chain)) {
            foreign_chain(nft, f, &chain, bridge, egress);
        }
    }

    if (f != NULL) {
        fca_legacy_find(f, bridge, egress);
        fclose(f);
    }

    text[size - 1] = '\0';
    free(chains);
}


int
fca_foreign_forwards(struct nft_ctx *nft, char *whose)
{
    int          found;
    char        *chains;
    chain_t      chain = { .drops = 0 };
    const char  *p;

    found = 0;
    chains = nft_print(nft, "list chains");

    for (p = chains; !found && p != NULL && chain_next(&p, &chain); ) {

        if (!chain_is_ours(&chain)
            && (strcmp(chain.hook, "forward") == 0
                || strcmp(chain.type, "nat") == 0))
        {
            found = 1;
            snprintf(whose, FCA_FOREIGN_NAME, "table %s %s", chain.family,
                     chain.table);
        }
    }

    free(chains);

    return found;
}


void
fca_net_foreign(const fca_net_conf_t *conf, char *text, size_t size)
{
    struct nft_ctx  *nft;

    text[0] = '\0';
    nft = fca_nft_new(NULL);

    if (nft != NULL) {
        foreign_find(nft, conf->bridge, conf->egress, text, size);
        nft_ctx_free(nft);
    }
}


/* once for each finding, until it changes */
void
fca_net_foreign_tell(fca_net_t *net)
{
    char  text[sizeof(net->foreign)], *line, *rest;

    net->nft_runs++;
    foreign_find(net->nft, net->bridge, net->egress, text, sizeof(text));

    if (strcmp(text, net->foreign) == 0) {
        return;
    }

    memcpy(net->foreign, text, sizeof(text));
    rest = text;

    while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
        fca_log(FCF_LOG_WARN, NULL, "guest network: %s", line);
    }
}
