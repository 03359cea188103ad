/* fcfaas deploy: from a directory, a zip or a tar to a version that serves;
 * fcfaas rollback: back to one that did. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/env.h"
#include "cli/memory.h"

static const char *const  fcc_endings[] = {
    ".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst", NULL
};


/* the last part of its path, without an archive's ending */
static void
fcc_source_name(char *name, size_t size, const char *label)
{
    size_t       i, len, end;
    const char  *last;

    last = strrchr(label, '/');
    (void) snprintf(name, size, "%s", last != NULL ? last + 1 : label);
    len = strlen(name);

    for (i = 0; fcc_endings[i] != NULL; i++) {

        end = strlen(fcc_endings[i]);

        if (len > end && strcmp(name + len - end, fcc_endings[i]) == 0) {
            name[len - end] = '\0';
            return;
        }
    }
}


static int
fcc_deploy_name(const fcc_t *fcc, char *name, size_t size, fcf_err_t *err)
{
    char  *label;

    if (fcc_opt(fcc, "name") != NULL) {
        (void) snprintf(name, size, "%s", fcc_opt(fcc, "name"));
        return fcc_name_check(name, err);
    }

    if (fcc_is_container(fcc->args[0])) {
        fcc_container_name(name, size, fcc->args[0]);

    } else {
        label = realpath(fcc->args[0], NULL);
        fcc_source_name(name, size, label != NULL ? label : fcc->args[0]);
        free(label);
    }

    return fcc_name_check(name, err) == 0 ? 0
           : fcf_err_set(err, FCF_E_INVALID, "\"%s\" cannot be a function's "
                         "name (a-z, 0-9, \".\", \"_\" and \"-\" inside, 64 "
                         "at most): --name gives another", name);
}


static int
fcc_deploy_code(fcc_rollout_t *rollout, const fcc_source_t *source,
    fcf_err_t *err)
{
    fcf_image_t  code;

    fcc_image_of(source, &rollout->fcc->conf, &code);

    if (fcc_rollout_image(rollout, "code", &code, err) != 0) {
        return -1;
    }

    /* the version before is given again if nothing differs */

    (void) json_object_set_new(rollout->spec, "version",
                               json_integer(rollout->version));

    return fcc_spec_read(&rollout->decoded, rollout->spec, err);
}


/* is it what the newest version says already? */
static int
fcc_deploy_known(const fcc_rollout_t *rollout)
{
    int              same;
    json_t          *value;
    const fcf_kv_t  *kv;

    kv = fcc_rollout_version(rollout, rollout->newest);
    value = kv != NULL ? json_loadb(kv->value, kv->value_len, 0, NULL) : NULL;

    same = value != NULL && fcc_spec_same(value, rollout->spec);
    json_decref(value);

    return same;
}


/* "replaces version 3 from ...", if that is somewhere else */
static void
fcc_deploy_elsewhere(const fcc_rollout_t *rollout, const fcc_source_t *source)
{
    const fcf_kv_t  *kv;
    fcf_deployed_t   by;

    kv = rollout->old == NULL ? NULL
         : fcc_rollout_version(rollout, rollout->old_spec.version);

    if (kv != NULL && fcf_deployed_decode(&by, kv->value, kv->value_len, NULL)
        == 0 && by.source[0] != '\0' && strcmp(by.source, source->label) != 0)
    {
        fcc_say("%s: replaces version %" PRId64
                " from %s", rollout->name,
                rollout->old_spec.version, by.source);
    }
}


/* the version is there; now it is to serve */
static int
fcc_deploy_serve(fcc_rollout_t *rollout, int wait, fcf_err_t *err)
{
    if (wait) {
        fcc_say("%s: waiting for version %" PRId64
                " to be ready", rollout->name, rollout->version);
    }

    if ((wait && fcc_ready(rollout, err) != 0)
        || fcc_rollout_serve(rollout, err) != 0)
    {
        return -1;
    }

    return fcc_rollout_print(rollout, rollout->percent == 100 ? "current"
                             : "shared", err);
}


int
fcc_rollout_new(fcc_rollout_t *rollout, const char *source, fcf_err_t *err)
{
    int  wait, at_once;

    wait = fcc_opt(rollout->fcc, "no-wait") == NULL;
    at_once = !wait && rollout->percent == 100;

    if (fcc_rollout_create(rollout, source, at_once, err) != 0) {
        return -1;
    }

    return at_once ? fcc_rollout_print(rollout, "current", err)
                   : fcc_deploy_serve(rollout, wait, err);
}


static int
fcc_deploy_version(fcc_rollout_t *rollout, const fcc_source_t *source,
    fcf_err_t *err)
{
    int  known;

    known = fcc_deploy_known(rollout);

    rollout->version = known ? rollout->newest : rollout->newest + 1;

    if (fcc_deploy_code(rollout, source, err) != 0) {
        return -1;
    }

    if (known && rollout->old_spec.version == rollout->version
        && rollout->old_spec.ntraffic == 0)
    {
        return fcc_rollout_print(rollout, "unchanged", err);
    }

    fcc_deploy_elsewhere(rollout, source);

    if (!known) {
        fcc_rollout_runtime_why(rollout);
    }

    return !known ? fcc_rollout_new(rollout, source->label, err)
           : fcc_deploy_serve(rollout, fcc_opt(rollout->fcc, "no-wait")
                                       == NULL, err);
}


/* what was set before there was anything to set it for */
static int
fcc_deploy_first(fcc_rollout_t *rollout, fcf_err_t *err)
{
    int64_t  generation;

    generation = 0;

    if (fcc_env_first(rollout, &generation, err) != 0) {
        return -1;
    }

    return generation == 0
           || json_object_set_new(rollout->spec, "secrets_generation",
                                  json_integer(generation)) == 0
           ? 0 : fcf_err_set(err, FCF_E_NOMEM, "no memory");
}


static int
fcc_deploy_image(fcc_rollout_t *rollout, fcc_source_t *source, fcf_err_t *err)
{
    if (fcc_spec_merge(rollout, source, err) != 0
        || fcc_memory_check(rollout->name, &rollout->decoded, err) != 0
        || (rollout->old == NULL && fcc_deploy_first(rollout, err) != 0)
        || fcc_rollout_runtime(rollout, err) != 0
        || fcc_source_look(source, &rollout->fcc->conf,
                           rollout->decoded.runtime,
                           rollout->pin.image.sha256[0] != '\0', err) != 0
        || fcc_image_put(rollout->fcc, source, err) != 0)
    {
        return -1;
    }

    fcc_say("%s: an image of %u files, %" PRId64
            " KB, %.12s...", rollout->name, source->files,
            (source->size + 1023) / 1024, source->sha256);

    rollout->version = rollout->newest + 1;
    rollout->mark = &source->mark;

    return fcc_deploy_code(rollout, source, err);
}


static int
fcc_deploy_source(fcc_rollout_t *rollout, const char *given, fcf_err_t *err)
{
    int            rc;
    fcc_source_t   source;

    rc = fcc_source_open(&source, given,
                         fcc_opt(rollout->fcc, "plain-http") != NULL, err);

    if (rc == 0) {
        rc = fcc_deploy_image(rollout, &source, err);
    }

    if (rc == 0) {
        rc = fcc_deploy_version(rollout, &source, err);
    }

    fcc_source_close(&source);

    return rc;
}


static int
fcc_deploy(fcc_t *fcc, fcf_err_t *err)
{
    int            rc;
    char           name[256];
    fcc_rollout_t  rollout;

    fcc_catch_signals();

    if (fcc_deploy_name(fcc, name, sizeof(name), err) != 0) {
        return -1;
    }

    rc = fcc_rollout_open(&rollout, fcc, name, err);

    if (rc == 0) {
        rc = fcc_opt_int(fcc, "percent", 1, 100, &rollout.percent, err);
    }

    if (rc == 0 && rollout.percent != 100 && rollout.old == NULL) {
        rc = fcf_err_set(err, FCF_E_INVALID, "--percent %d: %s has no version "
                         "yet to share requests with", rollout.percent, name);
    }

    if (rc == 0) {
        rc = fcc_deploy_source(&rollout, fcc->args[0], err);
    }

    fcc_rollout_close(&rollout);

    return rc;
}


/* which one: what the command line says, or the one before */
static int
fcc_rollback_version(fcc_rollout_t *rollout, fcf_err_t *err)
{
    char     *end;
    fcc_t    *fcc;

    fcc = rollout->fcc;

    if (rollout->old == NULL) {
        return fcc_no_function(rollout->name, err);
    }

    rollout->version = rollout->old_spec.previous;

    if (fcc->nargs == 2) {
        rollout->version = strtoll(fcc->args[1], &end, 10);

        if (rollout->version < 1 || *end != '\0') {
            return fcf_err_set(err, FCF_E_INVALID, "\"%s\": is no version's "
                               "number", fcc->args[1]);
        }
    }

    if (rollout->version == 0) {
        return fcf_err_set(err, FCF_E_NOT_FOUND, "%s: there was no version "
                           "before %" PRId64, rollout->name,
                           rollout->old_spec.version);
    }

    return 0;
}


/* what that version was; how many instances there may be is not its own */
static int
fcc_rollback_spec(fcc_rollout_t *rollout, fcf_err_t *err)
{
    size_t           i;
    json_t          *value;
    const fcf_kv_t  *kv;

    static const char *const  kept[] = { "min_instances", "max_instances" };

    kv = fcc_rollout_version(rollout, rollout->version);

    if (kv == NULL) {
        return fcf_err_set(err, FCF_E_NOT_FOUND, "%s: there is no version %"
                           PRId64 "; fcfaas describe %s shows those there are",
                           rollout->name, rollout->version, rollout->name);
    }

    if (fcf_spec_decode(&rollout->decoded, kv->value, kv->value_len, err) != 0)
    {
        err->code = FCF_E_REFUSED;
        return fcf_err_wrap(err, "%s: version %" PRId64, rollout->name,
                            rollout->version);
    }

    rollout->spec = json_loadb(kv->value, kv->value_len, 0, NULL);

    for (i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {

        value = json_object_get(rollout->old, kept[i]);

        (void) (value != NULL
                ? json_object_set(rollout->spec, kept[i], value)
                : json_object_del(rollout->spec, kept[i]));
    }

    return 0;
}


static int
fcc_rollback(fcc_t *fcc, fcf_err_t *err)
{
    int            rc;
    fcc_rollout_t  rollout;

    fcc_catch_signals();

    rc = fcc_rollout_open(&rollout, fcc, fcc->args[0], err);

    if (rc == 0) {
        rc = fcc_rollback_version(&rollout, err);
    }

    if (rc == 0) {
        rc = fcc_rollback_spec(&rollout, err);
    }

    if (rc == 0 && rollout.version == rollout.old_spec.version
        && rollout.old_spec.ntraffic == 0)
    {
        rc = fcc_rollout_print(&rollout, "unchanged", err);

    } else if (rc == 0) {
        rc = fcc_deploy_serve(&rollout, fcc_opt(fcc, "no-wait") == NULL, err);
    }

    fcc_rollout_close(&rollout);

    return rc;
}


static const fcc_option_t  fcc_deploy_options[] = {
    { "name", 'n', "NAME", "else the last part of SOURCE's path" },
    { "runtime", 'r', "NAME", "base, python3, node, ..." },
    { "memory", 'm', "MB", "of an instance" },
    { "cpu", 0, "N", "of an instance" },
    { "port", 'p', "N", "where it serves" },
    { "concurrency", 0, "N", "requests at once in one instance; 0: no limit" },
    { "spec", 's', "JSON", "other fields of its spec, or @FILE" },
    { "percent", 0, "N", "of the requests; else all" },
    { "plain-http", 0, NULL, "ask the registry of docker://... without TLS" },
    { "no-wait", 0, NULL, "do not see first whether it comes up" },
    { "timeout", 't', "SECONDS", "for that; else boot_timeout_s and 10" },
    { NULL, 0, NULL, NULL }
};

static const fcc_option_t  fcc_rollback_options[] = {
    { "no-wait", 0, NULL, "do not see first whether it comes up" },
    { "timeout", 't', "SECONDS", "for that; else boot_timeout_s and 10" },
    { NULL, 0, NULL, NULL }
};

const fcc_verb_t  fcc_verb_deploy = {
    "deploy", "SOURCE", "makes a directory, zip or tar the next version", 1, 1,
    fcc_deploy_options,
    "An image is made of SOURCE and put into each store.  Then one instance\n"
    "of the new version is started, without requests; once it is ready the\n"
    "version becomes current, and the gateway of the settings has seen that\n"
    "when the command ends.  One that does not come up never does: what serves\n"
    "now serves on, and the reason is told.  What was once said of memory, port\n"
    "and the like stays.\n"
    "SOURCE is a directory, a zip or tar of one, or a container image:\n"
    "oci:DIR[:TAG], docker-archive:FILE or docker://REGISTRY/NAME[:TAG].\n",
    fcc_deploy
};

const fcc_verb_t  fcc_verb_rollback = {
    "rollback", "NAME [VERSION]", "back to the version before, or another", 1,
    2, fcc_rollback_options,
    "It is started and seen to be ready first, as by deploy.\n", fcc_rollback
};
