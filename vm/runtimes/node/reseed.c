/*
 * node has no way to seed OpenSSL's generator anew.  Loading this does
 * (process.dlopen, each time); what it calls node has loaded already.
 */

int RAND_poll(void);
void *napi_register_module_v1(void *env, void *exports);


void *
napi_register_module_v1(void *env, void *exports)
{
    (void) env;

    if (RAND_poll() != 1) {
        __builtin_trap();       /* a clone that would repeat another */
    }

    return exports;
}
