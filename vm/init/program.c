#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "contract/fcf_runtime.h"
#include "vm/guest.h"
#include "vm/init/program.h"


/* bootstrap, or else what the runtime has for functions without one */

static int
find_function(fcv_program_t *program, fcf_err_t *err)
{
    struct stat  st;

    program->file = FCV_FUNCTION_FILE;

    if (access(program->file, F_OK) < 0
        && access(FCV_RUNTIME_FILE, F_OK) == 0)
    {
        program->file = FCV_RUNTIME_FILE;
    }

    if (stat(program->file, &st) < 0) {
        return fcf_err_sys(err, errno, "%s", program->file);
    }

    if (!S_ISREG(st.st_mode) || !(st.st_mode & S_IXOTH)) {
        return fcf_err_set(err, FCF_E_INVALID, "%s is not an executable file",
                           program->file);
    }

    program->argv = calloc(2, sizeof(char *));
    if (program->argv == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    program->argv[0] = (char *) program->file;
    program->cwd = FCV_FUNCTION_DIR;
    program->uid = FCV_FUNCTION_UID;
    program->gid = FCV_FUNCTION_UID;

    return 0;
}


/* a list of strings; each with something in it, if "some" */

static char **
get_strings(const json_t *json, const char *name, int some, fcf_err_t *err)
{
    char    **list;
    size_t    i;
    json_t   *array, *value;

    array = json_object_get(json, name);

    if (!json_is_array(array) || json_array_size(array) > FCF_IMAGE_STRINGS
        || (some && json_array_size(array) == 0))
    {
        fcf_err_set(err, FCF_E_INVALID, "%s is not a list of%s strings", name,
                    some ? " one or more" : "");
        return NULL;
    }

    list = calloc(json_array_size(array) + 1, sizeof(char *));
    if (list == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "no memory");
        return NULL;
    }

    json_array_foreach(array, i, value) {
        if (!json_is_string(value)) {
            fcf_err_set(err, FCF_E_INVALID, "%s[%zu] is not a string", name,
                        i);
            free(list);
            return NULL;
        }

        list[i] = (char *) json_string_value(value);
    }

    return list;
}


static int
get_id(const json_t *json, const char *name, unsigned *out, fcf_err_t *err)
{
    json_t  *value;

    value = json_object_get(json, name);

    if (!json_is_integer(value) || json_integer_value(value) < 0
        || json_integer_value(value) > FCF_IMAGE_ID_MAX)
    {
        return fcf_err_set(err, FCF_E_INVALID, "%s is not a number of a user "
                           "or group", name);
    }

    *out = (unsigned) json_integer_value(value);

    return 0;
}


static int
get_path(const json_t *json, const char *name, const char **out,
    fcf_err_t *err)
{
    *out = json_string_value(json_object_get(json, name));

    return *out && **out == '/' ? 0
           : fcf_err_set(err, FCF_E_INVALID, "%s is not an absolute path",
                         name);
}


int
fcv_program_decode(fcv_program_t *program, const char *text, size_t len,
    fcf_err_t *err)
{
    size_t  i;

    memset(program, 0, sizeof(*program));
    program->own = 1;
    program->json = json_loadb(text, len, 0, NULL);

    if (!json_is_object(program->json)) {
        fcf_err_set(err, FCF_E_INVALID, "is not a JSON object");
        goto failed;
    }

    program->argv = get_strings(program->json, "argv", 1, err);
    program->env = program->argv ? get_strings(program->json, "env", 0, err)
                                 : NULL;

    if (program->env == NULL
        || get_path(program->json, "file", &program->file, err) < 0
        || get_path(program->json, "cwd", &program->cwd, err) < 0
        || get_id(program->json, "uid", &program->uid, err) < 0
        || get_id(program->json, "gid", &program->gid, err) < 0)
    {
        goto failed;
    }

    for (i = 0; program->env[i]; i++) {
        if (program->env[i][0] == '=' || !strchr(program->env[i], '=')) {
            fcf_err_set(err, FCF_E_INVALID, "env[%zu] is not NAME=value", i);
            goto failed;
        }
    }

    return 0;

failed:

    fcv_program_free(program);

    return -1;
}


static int
find_own(fcv_program_t *program, fcf_err_t *err)
{
    int      fd, rc;
    char    *text;
    ssize_t  n, len;

    fd = open("/" FCF_IMAGE_FILE, O_RDONLY|O_CLOEXEC|O_NOFOLLOW);
    text = malloc(FCV_IMAGE_FILE_MAX);
    len = 0;
    n = fd < 0 || !text ? -1 : 1;

    while (n > 0) {
        n = read(fd, text + len, (size_t) (FCV_IMAGE_FILE_MAX - len));
        len += n > 0 ? n : 0;
    }

    rc = n < 0 ? fcf_err_sys(err, errno, "read")
               : fcv_program_decode(program, text, (size_t) len, err);

    free(text);

    if (fd >= 0) {
        close(fd);
    }

    return rc == 0 ? 0 : fcf_err_wrap(err, "/" FCF_IMAGE_FILE);
}


int
fcv_program_find(fcv_program_t *program, int own, fcf_err_t *err)
{
    memset(program, 0, sizeof(*program));

    return own ? find_own(program, err) : find_function(program, err);
}


void
fcv_program_free(fcv_program_t *program)
{
    free(program->argv);
    free(program->env);
    json_decref(program->json);
    memset(program, 0, sizeof(*program));
}
