#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "agent/base/log.h"
#include "agent/limits.h"

#define FCA_UIDS_MAX  65535

/* The state directory's, which nobody else has as long as it is there.  A check
 * may come before it is made. */
static void
fca_limits_tag(char *buf, size_t size, const char *state_dir)
{
    struct stat  st;

    if (stat(state_dir, &st) != 0) {
        snprintf(buf, size, "check_%ld", (long) getpid());
        return;
    }

    snprintf(buf, size, "%llx_%llx", (unsigned long long) st.st_dev,
             (unsigned long long) st.st_ino);
}

fca_cgroups_t *
fca_limits_cgroups(const fca_conf_t *conf, int look, fcf_err_t *err)
{
    char                tag[FCA_CGROUP_TAG];
    fca_cgroups_conf_t  c = {
        .mode = (fca_cgroups_e) conf->cgroups, .root = conf->cgroup_root,
        .node_id = conf->node_id, .tag = tag, .look = look,
    };

    fca_limits_tag(tag, sizeof(tag), conf->state_dir);

    return fca_cgroups_open(&c, err);
}

fca_jail_t *
fca_limits_jail(const fca_conf_t *conf, fcf_err_t *err)
{
    fca_jail_conf_t  j = {
        .jailer = conf->jailer_binary, .base = conf->jail_base,
        .program = conf->vmm,
    };

    return fca_jail_open(&j, err);
}

int
fca_limits_open(fca_limits_t *limits, const fca_conf_t *conf, fcf_err_t *err)
{
    int  n;

    limits->cgroups = fca_limits_cgroups(conf, 0, err);
    if (limits->cgroups == NULL) {
        return -1;
    }

    fca_log(fca_cgroups_version(limits->cgroups) ? FCF_LOG_INFO
                                                 : FCF_LOG_WARN, NULL, "%s",
            fca_cgroups_words(limits->cgroups));

    if (!conf->jailer) {
        return 0;
    }

    n = conf->jail_uid_last - conf->jail_uid_first + 1;
    limits->jail = fca_limits_jail(conf, err);

    if (limits->jail == NULL
        || fca_pool_init(&limits->uids, 1, n < FCA_UIDS_MAX ? (uint32_t) n
                                                            : FCA_UIDS_MAX,
                         0, 0, err) != 0)
    {
        return -1;
    }

    fca_jail_sweep(limits->jail, conf->run_dir, conf->node_id);
    fca_log(FCF_LOG_INFO, NULL, "jails below %s, with users from %d on",
            fca_jail_base(limits->jail), conf->jail_uid_first);

    return 0;
}

void
fca_limits_close(fca_limits_t *limits)
{
    fca_cgroups_close(limits->cgroups);
    fca_jail_close(limits->jail);
    fca_pool_free(&limits->uids);
    memset(limits, 0, sizeof(*limits));
}
