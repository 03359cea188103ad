#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "agent/base/conf_parse.h"
#include "agent/base/log.h"

int
fca_conf_str(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err)
{
    char  *copy, **p = field;

    (void) s;

    copy = strdup(value);
    if (copy == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    free(*p);
    *p = copy;

    return 0;
}

int
fca_conf_path(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err)
{
    if (*value == '\0') {
        return fcf_err_set(err, FCF_E_INVALID, "must not be empty");
    }

    return fca_conf_str(field, s, value, err);
}

int
fca_conf_kernel_args(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err)
{
    if (strlen(value) > FCA_KERNEL_ARGS_MAX) {
        return fcf_err_set(err, FCF_E_INVALID, "must be at most %d bytes",
                           FCA_KERNEL_ARGS_MAX);
    }

    return fca_conf_str(field, s, value, err);
}

int
fca_conf_int(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err)
{
    int   *p = field;
    long   n;
    char  *end;

    errno = 0;
    n = strtol(value, &end, 10);

    if (!isdigit((unsigned char) *value) || *end || errno || n < s->min
        || n > s->max)
    {
        return fcf_err_set(err, FCF_E_INVALID,
                           "must be a whole number from %d to %d",
                           s->min, s->max);
    }

    *p = (int) n;

    return 0;
}

int
fca_conf_id(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err)
{
    if (!fcf_id_valid(value, strlen(value))) {
        return fcf_err_set(err, FCF_E_INVALID, "must be 1 to %d of a-z 0-9 . "
                           "_ -, beginning and ending with a letter or digit",
                           FCF_ID_MAX);
    }

    return fca_conf_str(field, s, value, err);
}

int
fca_conf_prefix(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err)
{
    if (*value && !fcf_prefix_valid(value, strlen(value))) {
        return fcf_err_set(err, FCF_E_INVALID, "must be at most %d printable "
                           "characters without space or braces",
                           FCF_PREFIX_MAX);
    }

    return fca_conf_str(field, s, value, err);
}

int
fca_conf_ifname(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err)
{
    size_t       max;
    const char  *c;

    /* five digits follow a TAP's prefix */
    max = strcmp(s->name, "tap_prefix") == 0 ? IFNAMSIZ - 6 : IFNAMSIZ - 1;

    for (c = value; *c; c++) {
        if (!isalnum((unsigned char) *c) && !strchr("-_.", *c)) {
            break;
        }
    }

    if (*value == '\0' || *value == '.' || *c || strlen(value) > max) {
        return fcf_err_set(err, FCF_E_INVALID, "must be an interface name of "
                           "1 to %zu letters, digits, - _ .", max);
    }

    return fca_conf_str(field, s, value, err);
}

void
fca_conf_list_free(fca_list_t *list)
{
    free(list->text);
    free(list->items);
    memset(list, 0, sizeof(*list));
}

int
fca_conf_split(fca_list_t *out, const char *value, const char *sep,
    fcf_err_t *err)
{
    char  *p;

    out->n = 0;
    out->text = strdup(value);
    /* no more words than every other character, and the NULL */
    out->items = calloc(strlen(value) / 2 + 2, sizeof(char *));

    if (out->text == NULL || out->items == NULL) {
        fca_conf_list_free(out);
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    for (p = out->text; *p; ) {
        p += strspn(p, sep);
        if (*p == '\0') {
            break;
        }

        out->items[out->n++] = p;
        p += strcspn(p, sep);
        if (*p) {
            *p++ = '\0';
        }
    }

    return 0;
}

static int
fca_conf_list(void *field, const char *value, const char *sep, size_t min,
    size_t max, int (*check)(const char *, fcf_err_t *), fcf_err_t *err)
{
    size_t       i;
    fca_list_t   list, *p = field;

    if (fca_conf_split(&list, value, sep, err) != 0) {
        return -1;
    }

    if (list.n < min || list.n > max) {
        fca_conf_list_free(&list);
        return fcf_err_set(err, FCF_E_INVALID, "must have %zu to %zu items",
                           min, max);
    }

    for (i = 0; check && i < list.n; i++) {
        if (check(list.items[i], err) != 0) {
            fca_conf_list_free(&list);
            return -1;
        }
    }

    fca_conf_list_free(p);
    *p = list;

    return 0;
}

const char *
fca_conf_shown(const char *name, const char *value)
{
    size_t  len;

    len = strlen(name);

    /* a password or a token where its file's name should be, or in a URL */

    if (strchr(value, '@') != NULL
        || ((strstr(name, "password") != NULL || strstr(name, "token") != NULL)
            && (len < 5 || strcmp(name + len - 5, "_file") != 0)))
    {
        return "(not shown)";
    }

    return value;
}

int
fca_conf_etcd(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err)
{
    (void) s;
    return fca_conf_list(field, value, " \t,", 1, FCF_ETCD_ENDPOINTS_MAX,
                         fcf_etcd_endpoint_check, err);
}

int
fca_conf_redis(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err)
{
    (void) s;
    return fca_conf_list(field, value, " \t,", 1, FCF_REDIS_ADDRS_MAX,
                         fcf_redis_addr_check, err);
}

int
fca_conf_words(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err)
{
    (void) s;
    return fca_conf_list(field, value, " \t", 0, FCA_VMM_ARGS_MAX, NULL, err);
}

/* one of these words; their order is the field's value */
static int
fca_conf_choice(void *field, const char *value, const char *const *words,
    const char *must, fcf_err_t *err)
{
    int  i;

    for (i = 0; words[i] != NULL; i++) {
        if (strcmp(value, words[i]) == 0) {
            *(int *) field = i;
            return 0;
        }
    }

    return fcf_err_set(err, FCF_E_INVALID, "must be %s", must);
}

int
fca_conf_egress(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err)
{
    static const char *const  words[] = { "none", "internet", NULL };

    (void) s;

    return fca_conf_choice(field, value, words, "none or internet", err);
}

int
fca_conf_cgroups(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err)
{
    static const char *const  words[] = { "auto", "yes", "no", NULL };

    (void) s;

    return fca_conf_choice(field, value, words, "auto, yes or no", err);
}

int
fca_conf_yes_no(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err)
{
    static const char *const  words[] = { "no", "yes", NULL };

    (void) s;

    return fca_conf_choice(field, value, words, "yes or no", err);
}

/* below where cgroups are mounted; no way out of it */
int
fca_conf_cgroup(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err)
{
    size_t       n;
    const char  *p;

    for (p = value; *p; p += n + (p[n] == '/')) {
        n = strcspn(p, "/");

        if (n == 0 || n > 255 || strchr(" \t\\", *p)
            || (*p == '.' && (n == 1 || (n == 2 && p[1] == '.'))))
        {
            return fcf_err_set(err, FCF_E_INVALID, "must be names with \"/\" "
                               "between them, as fcfaas/vms");
        }
    }

    return fca_conf_str(field, s, value, err);
}

int
fca_conf_adopt(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err)
{
    (void) s;

    if (strcmp(value, "no") != 0 && strcmp(value, "yes") != 0) {
        return fcf_err_set(err, FCF_E_INVALID, "must be no or yes");
    }

    *(int *) field = value[0] == 'y';

    return 0;
}

int
fca_conf_level(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err)
{
    (void) s;

    if (fca_log_level_parse(value, field) != 0) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "must be debug, info, warn or error");
    }

    return 0;
}

int
fca_conf_is_list(const fca_setting_t *s)
{
    return s->parse == fca_conf_etcd || s->parse == fca_conf_redis
           || s->parse == fca_conf_words;
}

int
fca_conf_is_string(const fca_setting_t *s)
{
    return s->parse == fca_conf_str || s->parse == fca_conf_path
           || s->parse == fca_conf_kernel_args || s->parse == fca_conf_id
           || s->parse == fca_conf_prefix || s->parse == fca_conf_ifname
           || s->parse == fca_conf_cgroup;
}

char *
fca_conf_hostname(void)
{
    char   name[256], *c;

    if (gethostname(name, sizeof(name)) != 0) {
        name[0] = '\0';
    }

    name[sizeof(name) - 1] = '\0';

    for (c = name; *c; c++) {
        *c = (char) tolower((unsigned char) *c);
    }

    return strdup(fcf_id_valid(name, strlen(name)) ? name : "");
}
