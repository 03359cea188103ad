/* What a version has beside its spec: who made it, and its environment. */

#include <stdlib.h>
#include <string.h>

#include "contract/fcf_codec.h"
#include "t/unit/tap.h"


/* a version: a spec with all its fields, and who made it of what */
static void
test_versions(void)
{
    char            *text;
    fcf_err_t        err;
    fcf_spec_t       s;
    fcf_deployed_t   in, out;

    static const char  old[] = "{\"version\":3,\"previous\":2,\"cpu\":4,"
        "\"traffic\":[],\"hint\":\"x\"}";

    memset(&in, 0, sizeof(in));
    in.at_ms = 1700000000000;
    strcpy(in.by, "ada@here");
    strcpy(in.source, "/src/\xc3\xa4");

    text = fcf_version_encode(old, strlen(old), &in);
    is_str(text, "{\"version\":3,\"cpu\":4,\"hint\":\"x\",\"deployed\":"
           "{\"at_ms\":1700000000000,\"by\":\"ada@here\",\"source\":"
           "\"/src/\xc3\xa4\"}}", "what is the spec's alone is left out");
    is_int(fcf_spec_decode(&s, text, strlen(text), &err), 0,
           "a version is a spec");
    is_int(s.cpu, 4, "with its fields");
    memset(&out, 0x5a, sizeof(out));
    is_int(fcf_deployed_decode(&out, text, strlen(text), &err), 0,
           "decoded again");
    ok(memcmp(&in, &out, sizeof(in)) == 0, "to the same");
    free(text);

    is_int(fcf_deployed_decode(&out, old, strlen(old), &err), 0, "none said");
    ok(out.at_ms == 0 && out.by[0] == '\0' && out.source[0] == '\0',
       "is nothing");
    is_int(fcf_deployed_decode(&out, "{\"deployed\":1}", 14, &err), -1,
           "no object");
    is_str(err.msg, "version: deployed: not an object", "is told");
    ok(fcf_version_encode("[1]", 3, &in) == NULL, "of no spec no version");
}


/* an environment: what is in it comes back, and is never quoted */
static void
test_env(void)
{
    char       *text, *again;
    size_t      i;
    fcf_env_t   env, out;
    fcf_err_t   err;

    static const struct {
        const char  *text, *complaint;
    } bad[] = {
        { "s3cret", "env: not a JSON object" },
        { "{\"env\":{\"A\":\"s3cret\",\"A\":\"x\"}}",
          "env: not a JSON object" },
        { "[\"s3cret\"]", "env: not a JSON object" },
        { "{\"env\":[\"s3cret\"]}", "env: env: not an object" },
        { "{\"secrets\":{\"A\":[\"s3cret\"]}}",
          "env: secrets: A: not a string" },
        { "{\"env\":{\"A\":\"\"},\"secrets\":{\"A\":\"s3cret\"}}",
          "env: secrets: A: is in env, too" },
        { "{\"env\":{\"1A\":\"s3cret\"}}",
          "env: env: \"1A\" cannot be a variable's name: A-Z, a-z, \"_\", "
          "then also 0-9, 128 at most" },
        { "{\"env\":{\"FCFAAS_VERSION\":\"s3cret\"}}",
          "env: env: FCFAAS_VERSION is set for each instance, and is not for "
          "people to set" },
    };

    memset(&env, 0, sizeof(env));
    is_int(fcf_env_set(&env, "B", "two\nlines", 0), 0, "env: set");
    is_int(fcf_env_set(&env, "C", "\"quoted\"", 1), 0, "a secret");
    is_int(fcf_env_set(&env, "A", "", 0), 0, "one before");
    is_int(fcf_env_set(&env, "B", "other", 0), 0, "again");
    is_int(fcf_env_unset(&env, "X"), 0, "unset what is not there");

    text = fcf_env_encode(&env);
    is_str(text, "{\"env\":{\"A\":\"\",\"B\":\"other\"},\"secrets\":"
           "{\"C\":\"\\\"quoted\\\"\"}}", "encoded by their names");
    memset(&out, 0x5a, sizeof(out));
    is_int(fcf_env_decode(&out, text, strlen(text), &err), 0,
           "decoded again");
    again = fcf_env_encode(&out);
    is_str(again, text, "to the same");
    ok(fcf_env_get(&out, "C")->secret && !fcf_env_get(&out, "B")->secret,
       "what is a secret is one");
    is_int(fcf_env_unset(&out, "A"), 1, "unset");
    ok(fcf_env_get(&out, "A") == NULL && out.nvars == 2, "is gone");
    fcf_env_wipe(text);
    fcf_env_wipe(again);
    fcf_env_free(&env);
    fcf_env_free(&out);

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        is_int(fcf_env_decode(&out, bad[i].text, strlen(bad[i].text), &err),
               -1, "env refused: %s", bad[i].complaint);
        is_str(err.msg, bad[i].complaint, "in these words");
        ok(out.vars == NULL, "with nothing to free");
    }

    text = malloc(FCF_VALUE_MAX + 1);
    memset(text, 'x', FCF_VALUE_MAX);
    text[FCF_VALUE_MAX] = '\0';
    is_int(fcf_env_set(&env, "A", text, 1), 0, "one that is large");
    is_int(fcf_env_check(&env, &err), -1, "is too large");
    is_int(err.code, FCF_E_LIMIT, "for a value of etcd's");
    free(text);
    fcf_env_free(&env);
}


int
main(void)
{
    test_versions();
    test_env();

    return tap_done();
}
