#include <errno.h>
#include <signal.h>
#include <string.h>
#include <curl/curl.h>

#include "cli/call.h"
#include "cli/http.h"

const fcc_verb_t *const  fcc_verbs[] = {
    &fcc_verb_init, &fcc_verb_deploy, &fcc_verb_rollback, &fcc_verb_ls,
    &fcc_verb_describe, &fcc_verb_ps, &fcc_verb_logs, &fcc_verb_top,
    &fcc_verb_nodes, &fcc_verb_invoke, &fcc_verb_scale, &fcc_verb_env,
    &fcc_verb_secret, &fcc_verb_rm, &fcc_verb_runtime, &fcc_verb_doctor, NULL
};


static int
fcc_exit_of(const fcf_err_t *err)
{
    switch (err->code) {

    case FCF_E_INVALID:
        return FCC_USAGE;

    case FCF_E_UNAVAILABLE:
    case FCF_E_TIMEOUT:
        return FCC_AWAY;

    case FCF_E_AUTH:
        return FCC_AUTH;

    default:
        return FCC_NO;
    }
}


static int
fcc_run(fcc_t *fcc, fcf_err_t *err)
{
    int  rc;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK
        || (fcc->poll = fcc_poll_new(&fcc->loop)) == NULL)
    {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    rc = fcc->verb->run(fcc, err);

    fcc_etcd_close(fcc);
    fcc_http_close(fcc);
    fcc_poll_free(fcc->poll);
    curl_global_cleanup();

    return rc;
}


int
main(int argc, char **argv)
{
    int        rc;
    fcc_t      fcc;
    fcf_err_t  err;

    memset(&fcc, 0, sizeof(fcc));
    memset(&err, 0, sizeof(err));
    (void) signal(SIGPIPE, SIG_IGN);

    rc = fcc_options(&fcc, argc, argv, &err);

    if (rc == FCC_GO_ON) {
        rc = fcc_run(&fcc, &err);

        if (rc < 0) {
            fcc_say("%s", err.msg);
            rc = fcc_exit_of(&err);
        }

    } else if (rc < 0) {
        fcc_say("%s", err.msg);
        rc = FCC_USAGE;
    }

    /* a full disk, a reader that has gone */

    if (fflush(stdout) != 0 && rc == FCC_DONE) {
        fcc_say("standard output: %s",
                strerror(errno));
        rc = FCC_NO;
    }

    fcc_conf_free(&fcc.conf);

    return rc;
}
