#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "agent/agent.h"
#include "agent/base/files.h"
#include "agent/base/log.h"
#include "agent/check.h"
#include "agent/trial.h"

static int
fca_main_trial(const fca_conf_t *conf)
{
    fcf_err_t           err;
    fca_trial_result_t  result;

    if (fca_trial(conf, conf->trial_timeout, &result, &err) != 0) {
        printf("trial: no guest boots with %s: %s\n", conf->vmm, err.msg);
        return 1;
    }

    printf("trial: a guest booted with %s (%s) in %u ms%s%s\n", conf->vmm,
           result.version, result.ms,
           result.alone ? ", without drives and network: " : "",
           result.alone ? result.alone : "");

    return 0;
}

/* to the agent that runs here */
static int
fca_main_order(const fca_conf_t *conf)
{
    fcf_err_t    err;
    const char  *order;

    order = conf->run == FCA_RUN_RESUME ? "resume"
            : conf->run == FCA_RUN_STATUS ? "status"
            : conf->wait ? "drain wait" : "drain";

    if (fca_order(conf->state_dir, order, &err) != 0) {
        fprintf(stderr, "fcfaas-agent: %s: %s\n", order, err.msg);
        return 1;
    }

    return 0;
}

static int
fca_main_run(fca_conf_t *conf)
{
    fcf_err_t  err;

    if (conf->run == FCA_RUN_CHECK) {
        return fca_check(conf);
    }

    if (fca_conf_guest_files(conf, &err) != 0
        || (conf->run == FCA_RUN
            && (fca_conf_secrets(conf, &err) != 0
                || fca_conf_proxy(conf, &err) != 0)))
    {
        fprintf(stderr, "fcfaas-agent: %s\n", err.msg);
        return 1;
    }

    return conf->run == FCA_RUN_TRIAL ? fca_main_trial(conf)
                                      : fca_agent_run(conf);
}

int
main(int argc, char **argv)
{
    int         rc;
    fcf_err_t   err;
    fca_conf_t  conf;

    if (fca_conf_load(&conf, argc, argv, &err) != 0) {
        fprintf(stderr, "fcfaas-agent: %s\n", err.msg);
        return 1;
    }

    if (conf.run == FCA_RUN_VERSION) {
        printf("fcfaas-agent %s\n", FCF_VERSION);
        rc = 0;

    } else if (conf.run == FCA_RUN_HELP) {
        fca_conf_help();
        rc = 0;

    } else if (conf.run >= FCA_RUN_DRAIN) {
        rc = fca_main_order(&conf);

    } else {
        signal(SIGPIPE, SIG_IGN);
        (void) fca_files_raise();
        curl_global_init(CURL_GLOBAL_DEFAULT);
        fca_log_init(STDERR_FILENO, conf.log_level, conf.node_id);
        rc = fca_main_run(&conf);
        curl_global_cleanup();
    }

    fca_conf_free(&conf);

    return rc;
}
