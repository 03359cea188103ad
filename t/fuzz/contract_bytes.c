/*
 * Base64 there and back, text made fit for a log, and the addresses of stores:
 * what an endpoint is and is not does not depend on what stands behind it.
 */

#include "client/fcf_etcd.h"
#include "client/fcf_redis_addr.h"
#include "contract/fcf_base64.h"
#include "t/fuzz/values.h"


static void
base64(const uint8_t *data, size_t size)
{
    char    *raw, *text, *back;
    size_t   len, n;

    raw = fct_copy(data, size, 0);
    text = malloc(fcf_base64_encoded_len(size) + 1);
    back = malloc(fcf_base64_decoded_max(fcf_base64_encoded_len(size)) + 1);
    FCT_HOLDS(text != NULL && back != NULL);

    n = fcf_base64_encode(text, raw, size);
    FCT_HOLDS(n == fcf_base64_encoded_len(size) && text[n] == '\0');
    FCT_HOLDS(fcf_base64_decode(back, &len, text, n) == 0);
    FCT_HOLDS(len == size && (size == 0 || memcmp(back, data, size) == 0));
    FCT_HOLDS(back[len] == '\0');
    free(back);
    free(text);

    /* any text: what is taken is what it is made of */

    back = malloc(fcf_base64_decoded_max(size) + 1);
    FCT_HOLDS(back != NULL);

    if (fcf_base64_decode(back, &len, raw, size) == 0) {
        text = malloc(fcf_base64_encoded_len(len) + 1);
        FCT_HOLDS(text != NULL && len <= fcf_base64_decoded_max(size));
        n = fcf_base64_encode(text, back, len);
        FCT_HOLDS(n == size && (n == 0 || memcmp(text, data, size) == 0));
        free(text);
    }

    free(back);
    free(raw);
}


static void
text(const uint8_t *data, size_t size, int flags)
{
    char    *raw, *once, *twice, *cut;
    size_t   max, len, n;

    raw = fct_copy(data, size, 0);
    max = FCF_TEXT_GROWS * size + 1;
    once = malloc(max);
    twice = malloc(FCF_TEXT_GROWS * max);
    FCT_HOLDS(once != NULL && twice != NULL);

    len = fcf_text_clean(once, max, raw, size, flags);
    FCT_HOLDS(len == strlen(once));
    FCT_HOLDS(flags != 0 || fct_clean(once));
    n = fcf_text_clean(twice, FCF_TEXT_GROWS * max, once, len, flags);
    FCT_HOLDS(n == len && strcmp(once, twice) == 0);

    /* a shorter one is the same up to where it is cut */

    for (max = 1; max < 32; max++) {
        cut = malloc(max);
        FCT_HOLDS(cut != NULL);
        n = fcf_text_clean(cut, max, raw, size, flags);
        FCT_HOLDS(n < max && n <= len && memcmp(cut, once, n) == 0);
        FCT_HOLDS(flags != 0 || fct_clean(cut));
        free(cut);
    }

    free(twice);
    free(once);
    free(raw);
}


static void
addresses(const uint8_t *data, size_t size)
{
    char             *raw, again[160];
    fcf_err_t         err;
    fcf_redis_addr_t  addr, other;

    raw = fct_copy(data, size, 1);

    if (fcf_redis_addr_parse(&addr, raw, &err) != 0) {
        fct_says(&err);

    } else {
        FCT_HOLDS(memchr(addr.host, '\0', sizeof(addr.host)) != NULL);
        FCT_HOLDS(addr.port >= 0 && addr.port <= 65535);

        if (addr.port == 0) {
            FCT_HOLDS(addr.host[0] == '/');
            snprintf(again, sizeof(again), "unix:%s", addr.host);

        } else {
            snprintf(again, sizeof(again), strchr(addr.host, ':')
                     ? "[%s]:%d" : "%s:%d", addr.host, addr.port);
        }

        FCT_HOLDS(fcf_redis_addr_parse(&other, again, &err) == 0);
        FCT_HOLDS(strcmp(other.host, addr.host) == 0);
        FCT_HOLDS(other.port == addr.port);
    }

    if (fcf_etcd_endpoint_check(raw, &err) != 0) {
        fct_says(&err);

    } else {
        FCT_HOLDS(strncmp(raw, "http", 4) == 0);
        FCT_HOLDS(strpbrk(raw, " @?#\r\n\\") == NULL);
        FCT_HOLDS(strlen(raw) < 80);
    }

    free(raw);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    base64(data, size);
    text(data, size, 0);
    text(data, size, FCF_TEXT_LINES);
    addresses(data, size);

    return 0;
}
