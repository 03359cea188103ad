/* What the VMM answers, of whatever size and form. */

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/vmm/vmm_int.h"
#include "contract/fcf_text.h"


/* Rust's errors have the system's words, too.  Nothing of a guest's console is
 * among a VMM's own. */
int
fca_vmm_host_lacks(const char *words)
{
    size_t  i;

    static const int  lacks[] = { ENOSPC, EDQUOT, EIO, EROFS, EMFILE, ENFILE,
                                  ENOMEM };

    for (i = 0; i < sizeof(lacks) / sizeof(lacks[0]); i++) {
        if (strstr(words, strerror(lacks[i])) != NULL) {
            return 1;
        }
    }

    return 0;
}


int
fca_vmm_minor(const char *version)
{
    char  *end;
    long   major, minor;

    major = strtol(version, &end, 10);

    if (end == version || *end != '.') {
        return -1;
    }

    version = end + 1;
    minor = strtol(version, &end, 10);

    if (end == version || major < 0 || minor < 0 || minor > 9999) {
        return -1;
    }

    /* what follows 1.x is newer than all of it */
    return major == 0 ? 0 : major == 1 ? (int) minor : 10000;
}


int
fca_vmm_version_take(fca_vmm_t *vmm, const char *body, fcf_err_t *err)
{
    int          rc, minor;
    json_t      *reply;
    const char  *version;

    reply = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
    version = json_string_value(json_object_get(reply, "vmm_version"));
    minor = version != NULL ? fca_vmm_minor(version) : -1;
    rc = 0;

    if (minor < 0) {
        rc = fcf_err_set(err, FCF_E_PROTOCOL, "VMM %s: GET / names no "
                         "vmm_version that is one: \"%.60s\"",
                         vmm->conf->binary, version != NULL ? version : body);

    } else if (minor < FCA_VMM_MINOR_MIN) {
        rc = fcf_err_set(err, FCF_E_REFUSED, "VMM %s is version %.30s, and "
                         "1.%d or later is needed (its PUT /serial)",
                         vmm->conf->binary, version, FCA_VMM_MINOR_MIN);

    } else {
        snprintf(vmm->version, sizeof(vmm->version), "%s", version);

        if (vmm->conf->version != NULL) {
            memcpy(vmm->conf->version, vmm->version, sizeof(vmm->version));
        }
    }

    json_decref(reply);

    return rc;
}


int
fca_vmm_running_take(const char *body, fcf_err_t *err)
{
    int          rc;
    json_t      *reply;
    const char  *state;

    reply = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
    state = json_string_value(json_object_get(reply, "state"));

    rc = state != NULL && strcmp(state, "Running") == 0
         ? 0 : fcf_err_set(err, FCF_E_REFUSED, "the guest was not started");
    json_decref(reply);

    return rc;
}


int
fca_vmm_refused_take(const fca_vmm_call_t *call, long status, const char *body,
    fcf_err_t *err)
{
    char         text[FCF_ERR_MSG_MAX];
    json_t      *reply;
    const char  *fault;

    reply = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
    fault = json_string_value(json_object_get(reply, "fault_message"));

    if (fault != NULL) {
        fcf_text_clean(text, sizeof(text), fault, strlen(fault), 0);
        fcf_err_set(err, FCF_E_REFUSED, "%s %s: %s", call->method, call->path,
                    text);

    } else {
        fcf_text_clean(text, sizeof(text), body, strnlen(body, 100), 0);
        fcf_err_set(err, FCF_E_PROTOCOL, "%s %s: status %ld without a "
                    "fault_message: \"%s\"", call->method, call->path, status,
                    text);
    }

    json_decref(reply);

    return -1;
}
