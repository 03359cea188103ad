/* fcfaas init: a directory to begin with. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/fcc.h"
#include "cli/nearest.h"
#include "cli/table.h"

#define FCC_FILES_MAX  4

typedef struct {
    const char  *runtime;
    struct {
        const char  *name;
        mode_t       mode;
        const char  *text;
    }            files[FCC_FILES_MAX];  /* up to a name of NULL */
} fcc_template_t;

static const fcc_template_t  fcc_templates[] = {
    { "base", {
        { "fcfaas.json", 0644,
          "{\n"
          "    \"runtime\": \"base\"\n"
          "}\n" },
        { "bootstrap", 0755,
          "#!/bin/sh\n"
          "# Started once in each instance.  It is to serve HTTP on $PORT, and\n"
          "# may be any program: this one runs ./answer for each request.\n"
          "\n"
          "mkdir -p /tmp/www/cgi-bin\n"
          "cp answer /tmp/www/cgi-bin/index.cgi\n"
          "exec busybox httpd -f -p \"$PORT\" -h /tmp/www\n" },
        { "answer", 0755,
          "#!/bin/sh\n"
          "# A CGI program: the query is in $QUERY_STRING, the body on standard\n"
          "# input.  What goes to standard error is shown by \"fcfaas logs\".\n"
          "\n"
          "name=${QUERY_STRING#name=}\n"
          "\n"
          "printf 'Content-Type: text/plain\\r\\n\\r\\n'\n"
          "printf 'hello, %s\\n' \"${name:-world}\"\n" } } },

    { "python3", {
        { "fcfaas.json", 0644,
          "{\n"
          "    \"runtime\": \"python3\"\n"
          "}\n" },
        { "handler.py", 0644,
          "# handle() is called once for each request, each in a thread of its\n"
          "# own.  What it returns is the answer: text, bytes, or what JSON can\n"
          "# say.  What it prints, or throws, is shown by \"fcfaas logs\".\n"
          "\n"
          "\n"
          "def handle(request):\n"
          "    name = request.query.get('name', 'world')\n"
          "\n"
          "    return {'hello': name}\n" } } },

    { "node", {
        { "fcfaas.json", 0644,
          "{\n"
          "    \"runtime\": \"node\"\n"
          "}\n" },
        { "handler.js", 0644,
          "// Called once for each request.  What it returns is the answer: text,\n"
          "// bytes, or what JSON can say.  What it prints, or throws, is shown by\n"
          "// \"fcfaas logs\".\n"
          "\n"
          "exports.handler = async (request) => {\n"
          "    const name = request.query.name ?? 'world';\n"
          "\n"
          "    return { hello: name };\n"
          "};\n" } } },
};

#define FCC_TEMPLATES  (sizeof(fcc_templates) / sizeof(fcc_templates[0]))


static const char *
fcc_template_name(void *arg, size_t i)
{
    (void) arg;
    return i < FCC_TEMPLATES ? fcc_templates[i].runtime : NULL;
}


static const fcc_template_t *
fcc_template(const char *runtime, fcf_err_t *err)
{
    char    meant[FCC_MEANT_MAX];
    size_t  i;

    if (runtime == NULL) {
        fcf_err_set(err, FCF_E_INVALID, "--runtime: is to say for which: "
                    "base, python3 or node");
        return NULL;
    }

    for (i = 0; i < FCC_TEMPLATES; i++) {
        if (strcmp(fcc_templates[i].runtime, runtime) == 0) {
            return &fcc_templates[i];
        }
    }

    fcf_err_set(err, FCF_E_INVALID, "--runtime %s: there is a beginning for "
                "base, python3 and node only%s", runtime,
                fcc_meant(meant, runtime, "", fcc_template_name, NULL));

    return NULL;
}


/* What there is stays: only a directory that is new, or has nothing in it, is
 * filled. */
static int
fcc_init_dir(const char *dir, fcf_err_t *err)
{
    int             n;
    DIR            *d;
    struct dirent  *entry;

    if (mkdir(dir, 0777) == 0) {
        return 0;
    }

    d = errno == EEXIST ? opendir(dir) : NULL;

    if (d == NULL) {
        return fcf_err_sys(err, errno, "%s", dir);
    }

    n = 0;

    while ((entry = readdir(d)) != NULL) {
        n += strcmp(entry->d_name, ".") != 0
             && strcmp(entry->d_name, "..") != 0;
    }

    (void) closedir(d);

    return n == 0 ? 0
           : fcf_err_set(err, FCF_E_REFUSED, "%s: is not empty: nothing was "
                         "written", dir);
}


static int
fcc_init_file(const char *dir, const char *name, mode_t mode,
    const char *text, fcf_err_t *err)
{
    int    fd, rc;
    char  *path;
    FILE  *file;

    path = fcc_join(dir, name);

    if (path == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    file = fd >= 0 ? fdopen(fd, "w") : NULL;

    if (fd >= 0 && file == NULL) {
        (void) close(fd);
    }

    rc = file != NULL && fputs(text, file) >= 0 ? 0 : -1;

    if (file != NULL && fclose(file) != 0) {
        rc = -1;
    }

    if (rc != 0) {
        fcf_err_sys(err, errno, "%s", path);
    }

    free(path);

    return rc;
}


/* what deploy will call it: better said now than after the work */
static int
fcc_init_name(const char *dir, char *name, size_t size, fcf_err_t *err)
{
    char        *path;
    size_t       len;
    const char  *last;

    path = realpath(dir, NULL);         /* "." has a name, too */

    if (path == NULL && (path = strdup(dir)) == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    for (len = strlen(path); len > 1 && path[len - 1] == '/'; len--) {
        path[len - 1] = '\0';
    }

    last = strrchr(path, '/');
    (void) snprintf(name, size, "%s", last != NULL ? last + 1 : path);
    free(path);

    return fcc_name_check(name, err) == 0 ? 0
           : fcf_err_wrap(err, "%s", dir);
}


static int
fcc_init_print(const fcc_t *fcc, const fcc_template_t *template,
    const char *name, fcf_err_t *err)
{
    int          i;
    json_t      *files;
    const char  *dir;

    dir = fcc->args[0];
    files = json_array();

    for (i = 0; template->files[i].name != NULL; i++) {
        (void) json_array_append_new(files,
                                     json_string(template->files[i].name));
    }

    if (fcc->json) {
        return fcc_json_print(json_pack("{s:s, s:s, s:o}", "name",
                                        name, "runtime", template->runtime,
                                        "files", files), err);
    }

    json_decref(files);

    for (i = 0; template->files[i].name != NULL; i++) {
        fcc_print("%s/%s", dir, template->files[i].name);
    }

    fcc_say("%s: for the runtime %s; next: fcfaas "
            "deploy %s, and: curl %s/%s", name, template->runtime,
            dir, fcc->conf.gateway, name);

    return FCC_DONE;
}


static int
fcc_init(fcc_t *fcc, fcf_err_t *err)
{
    int                    i;
    char                   name[256];
    const char            *dir;
    const fcc_template_t  *template;

    dir = fcc->args[0];
    template = fcc_template(fcc_opt(fcc, "runtime"), err);

    if (template == NULL
        || fcc_init_name(dir, name, sizeof(name), err) != 0
        || fcc_init_dir(dir, err) != 0)
    {
        return -1;
    }

    for (i = 0; template->files[i].name != NULL; i++) {
        if (fcc_init_file(dir, template->files[i].name,
                          template->files[i].mode, template->files[i].text,
                          err) != 0)
        {
            return -1;
        }
    }

    return fcc_init_print(fcc, template, name, err);
}


static const fcc_option_t  fcc_init_options[] = {
    { "runtime", 'r', "NAME", "base, python3 or node" },
    { NULL, 0, NULL, NULL }
};

const fcc_verb_t  fcc_verb_init = {
    "init", "DIR", "makes a directory to begin a function with", 1, 1,
    fcc_init_options,
    "A handler that works, for the runtime that is named, and fcfaas.json with\n"
    "what its spec says.  DIR must be new or empty; its last part is to be the\n"
    "function's name.\n", fcc_init
};
