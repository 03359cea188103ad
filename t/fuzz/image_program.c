/* What init reads of a container image: whatever is there, it is refused in one
 * line, or something that can be executed. */

#include <string.h>
#include "t/fuzz/values.h"
#include "vm/init/program.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char           *text;
    size_t          i;
    fcf_err_t       err;
    fcv_program_t   program;

    text = fct_copy(data, size, 0);

    if (fcv_program_decode(&program, text, size, &err) != 0) {
        fct_says(&err);

    } else {
        FCT_HOLDS(program.file[0] == '/' && program.cwd[0] == '/');
        FCT_HOLDS(program.argv[0] != NULL);
        FCT_HOLDS(program.uid != (uid_t) -1 && program.gid != (gid_t) -1);

        for (i = 0; program.env[i] != NULL; i++) {
            FCT_HOLDS(strchr(program.env[i], '=') > program.env[i]);
        }

        fcv_program_free(&program);
    }

    free(text);

    return 0;
}
