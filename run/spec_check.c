/* Reads a spec and says on standard error what agents and gateways would not
 * take of it: run/deploy asks before it declares a function. */

#include <stdio.h>
#include "contract/fcf_codec.h"

#define FCR_SPEC_MAX  65536


int
main(void)
{
    char        text[FCR_SPEC_MAX];
    size_t      n;
    fcf_err_t   err;
    fcf_spec_t  spec;

    n = fread(text, 1, sizeof(text), stdin);

    if (n == sizeof(text)) {
        fprintf(stderr, "spec: longer than %zu bytes\n", n - 1);
        return 1;
    }

    if (fcf_spec_decode(&spec, text, n, &err) != 0) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }

    return 0;
}
