#include <errno.h>
#include <stdlib.h>

#include "contract/fcf_base64.h"
#include "contract/fcf_buf.h"
#include "t/unit/tap.h"

static const struct {
    const char  *plain, *coded;
} pairs[] = {
    { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" },
    { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" },
    { "foobar", "Zm9vYmFy" }, { "\xff\xfe\xfd", "//79" },
    { "/functions/", "L2Z1bmN0aW9ucy8=" }
};

static const char  *bad[] = {
    "Z", "Zg", "Zg=", "Zh==", "Zm9=", "====", "Z===", "Zg==Zg==", "Zg=v",
    "Zm9\n", "Zm-v", "Zm_v", " Zm9", "Zm9\xff"
};


static void
test_base64(void)
{
    char           text[512], back[512], *copy;
    size_t         i, j, len, n;
    unsigned char  bytes[256];

    for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        n = strlen(pairs[i].plain);
        is_int(fcf_base64_encode(text, pairs[i].plain, n),
               fcf_base64_encoded_len(n), "length of %s", pairs[i].coded);
        is_str(text, pairs[i].coded, "encoded");
        is_int(fcf_base64_decode(back, &len, text, strlen(text)), 0,
               "decoded");
        is_str(back, pairs[i].plain, "back");
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        n = strlen(bad[i]);
        copy = malloc(n);
        memcpy(copy, bad[i], n);
        is_int(fcf_base64_decode(back, &len, copy, n), -1, "bad %zu", i);
        free(copy);
    }

    for (i = 0; i < 256; i++) {
        bytes[i] = (unsigned char) (i * 7);
    }

    for (i = j = 0; i < 256; i++) {
        n = fcf_base64_encode(text, bytes, i);
        j += fcf_base64_decode(back, &len, text, n) == 0 && len == i
             && memcmp(back, bytes, i) == 0;
    }

    is_int(j, 256, "every length comes back");
}


static void
test_buf(void)
{
    char       *data;
    size_t      len;
    fcf_buf_t   buf;

    fcf_buf_init(&buf, 1000);
    is_int(fcf_buf_add(&buf, "", 0), 0, "nothing added");
    is_str(buf.data, "", "is an empty text");
    is_int(fcf_buf_add(&buf, "abc", 3), 0, "added");
    is_int(fcf_buf_addf(&buf, "%d-%s", 7, "x"), 0, "formatted");
    is_str(buf.data, "abc7-x", "both are there");
    fcf_buf_consume(&buf, 2);
    is_str(buf.data, "c7-x", "the front is gone");
    fcf_buf_consume(&buf, 99);
    is_int(buf.len, 0, "all is gone");

    is_int(fcf_buf_addf(&buf, "%1000s", "x"), 0, "up to the maximum");
    is_int(buf.len, 1000, "all of it");
    is_int(fcf_buf_add(&buf, "y", 1), -FCF_E_LIMIT, "one more is too much");
    ok(buf.data == NULL && buf.len == 0, "and empties it");
    is_int(fcf_buf_addf(&buf, "%1001s", "x"), -FCF_E_LIMIT, "at once too");
    is_int(fcf_buf_add(&buf, "abc", 3), 0, "it can be used again");

    data = fcf_buf_take(&buf, &len);
    is_str(data, "abc", "taken");
    is_int(len, 3, "with its length");
    ok(buf.data == NULL, "and out of the buffer");
    free(data);

    fcf_buf_init(&buf, 0);
    is_int(fcf_buf_add(&buf, "", 0), 0, "a maximum of nothing");
    is_int(fcf_buf_add(&buf, "a", 1), -FCF_E_LIMIT, "holds nothing");
    fcf_buf_free(&buf);
}


static void
test_err(void)
{
    char        line[1000];
    fcf_err_t   err;

    is_int(fcf_err_set(&err, FCF_E_INVALID, "bad %s", "port"), -1, "set");
    is_str(err.msg, "bad port", "message");
    is_int(fcf_err_wrap(&err, "agent.conf line %d", 7), -1, "wrapped");
    is_str(err.msg, "agent.conf line 7: bad port", "context first");
    is_int(err.code, FCF_E_INVALID, "code stays");

    is_int(fcf_err_sys(&err, ENOENT, "open %s", "/x"), -1, "system");
    is_str(err.msg, "open /x: No such file or directory", "with strerror");
    is_int(err.sys_errno, ENOENT, "errno kept");
    fcf_err_wrap(&err, "start");
    is_int(err.sys_errno, ENOENT, "also when wrapped");

    memset(line, 'x', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    fcf_err_set(&err, FCF_E_LIMIT, "%s", line);
    is_int(strlen(err.msg), FCF_ERR_MSG_MAX - 1, "cut, not refused");
    fcf_err_wrap(&err, "%s", line);
    is_int(strlen(err.msg), FCF_ERR_MSG_MAX - 1, "wrapped too");

    fcf_err_set(&err, FCF_E_REFUSED, "answered: %s", "<html>\r\n\x1b[1m\x7f");
    is_str(err.msg, "answered: <html>\\n\\x7f",
           "a peer's words stay one line");
    fcf_err_wrap(&err, "%s", "a\nb");
    is_str(err.msg, "a\\nb: answered: <html>\\n\\x7f", "the context too");
    fcf_err_sys(&err, ENOENT, "open \"%s\"", "a\tb");
    is_str(err.msg, "open \"a\\tb\": No such file or directory",
           "and a path");

    fcf_err_set(&err, FCF_E_REFUSED, "%s", "");
    is_str(err.msg, "no reason was given", "nothing was said");
    fcf_err_set(&err, FCF_E_REFUSED, "%s", "\x1b[2J");
    is_str(err.msg, "no reason was given", "nothing that can be shown");
    is_int(fcf_err_set(NULL, FCF_E_LIMIT, "x"), -1, "nobody wants the words");
    is_int(fcf_err_wrap(NULL, "x"), -1, "nor the context");
    is_str(fcf_code_name(FCF_E_CANCELED), "canceled", "names");
}


int
main(void)
{
    test_base64();
    test_buf();
    test_err();

    return tap_done();
}
