/* Images that stores have: the cache, and what no version names any more. */

#include <limits.h>
#include "agent/agent_int.h"
#include "agent/base/dir.h"
#include "agent/base/log.h"

#define FCA_SWEEP_MS       2000         /* after what changed */
#define FCA_SWEEP_STEP_MS  10

static int
fca_images_run(void *arg, const char *sha256)
{
    const fca_t  *agent = arg;

    return fca_instances_run(&agent->all, sha256);
}

static void
fca_images_named(void *arg, const char *sha256)
{
    fca_cache_named(arg, sha256);
}

/* a part of all specs a turn; what is not known for certain is not judged */
static void
fca_images_sweep(void *arg)
{
    fca_t        *agent = arg;
    fca_specs_t  *specs = agent->all.specs;

    if (!fca_specs_fresh(specs)) {
        agent->sweep_part = 0;
        agent->loop.timer_set(agent->sweep, FCA_SWEEP_MS);
        return;
    }

    if (agent->sweep_part == 0) {
        agent->sweep_wanted = 0;
        fca_cache_sweep_begin(agent->cache);
    }

    fca_specs_images(specs, agent->sweep_part, fca_images_named,
                     agent->cache);

    if (++agent->sweep_part < FCA_SPECS_PARTS) {
        agent->loop.timer_set(agent->sweep, FCA_SWEEP_STEP_MS);
        return;
    }

    agent->sweep_part = 0;

    if (fca_cache_sweep_end(agent->cache) != 0) {
        agent->sweep_wanted = 1;
    }

    if (agent->sweep_wanted) {
        agent->loop.timer_set(agent->sweep, FCA_SWEEP_MS);
    }
}

/* What changes all the time puts it off once; what changes in the midst of one
 * may have been passed, so another comes after it. */
void
fca_agent_images_changed(fca_t *agent)
{
    if (agent->sweep_wanted || fca_cache_empty(agent->cache)) {
        return;
    }

    agent->sweep_wanted = 1;

    if (agent->sweep_part == 0) {
        agent->loop.timer_set(agent->sweep, FCA_SWEEP_MS);
    }
}

int
fca_agent_open_images(fca_t *agent, fcf_err_t *err)
{
    char               dir[PATH_MAX];
    fca_cache_conf_t   conf = { .uv = &agent->uv, .loop = &agent->loop,
                                .http = agent->http, .dir = dir,
                                .max_bytes
                                    = (uint64_t) agent->conf.images_mb << 20,
                                .runs = fca_images_run, .arg = agent };

    if (*agent->conf.store_ca != '\0') {
        conf.ca = agent->conf.store_ca;
    }

    if (*agent->conf.store_cert != '\0') {
        conf.cert = agent->conf.store_cert;
        conf.key = agent->conf.store_key;
    }

    if (fca_dir_path(dir, sizeof(dir), "state_dir", agent->conf.state_dir,
                     "images", err) != 0
        || (agent->cache = fca_cache_new(&conf, err)) == NULL)
    {
        return -1;
    }

    agent->sweep = agent->loop.timer_new(&agent->loop, fca_images_sweep,
                                         agent);
    if (agent->sweep == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory for a timer");
    }

    return 0;
}

void
fca_agent_close_images(fca_t *agent)
{
    if (agent->sweep) {
        agent->loop.timer_free(agent->sweep);
    }

    fca_cache_free(agent->cache);
}
