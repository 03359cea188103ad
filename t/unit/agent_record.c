/* The record of a VM: what one agent writes the next one reads, and nothing
 * that is not whole, in range and of this version. */

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include "agent/instance/record.h"
#include "t/unit/tap.h"

#define JOB  "{\"request_id\":\"req-1\",\"function_id\":\"hello\","          \
             "\"cpu\":1,\"memory_mb\":128,\"x\":\"\\u00e4\\\"\"}"

static void
sample(fca_record_t *r)
{
    memset(r, 0, sizeof(*r));
    snprintf(r->boot_id, sizeof(r->boot_id),
             "01234567-89ab-cdef-0123-456789abcdef");
    snprintf(r->worker_id, sizeof(r->worker_id), "node-7");
    snprintf(r->function_id, sizeof(r->function_id), "hello");
    snprintf(r->request_id, sizeof(r->request_id), "req-1");
    r->job = strdup(JOB);
    r->state = FCA_S_BOOT;
    fcf_spec_default(&r->spec);
    r->spec.version = 3;
    r->spec.concurrency = 7;
    r->declared = 1;
    r->slot = 2;
    r->lease = 0x7fffffffffffff01;
    snprintf(r->nic.tap, sizeof(r->nic.tap), "fctap12");
    inet_pton(AF_INET, "172.16.0.9", &r->nic.address);
    memcpy(r->nic.mac, "\x06\x00\xac\x10\x00\x09", 6);
    r->port = 30007;
    r->born_ms = 123456;
    r->started_ms = 1764000000000;
}


static void
round_trip(void)
{
    char          *text, *again;
    fcf_err_t      err;
    fca_record_t   a, b;

    sample(&a);
    text = fca_record_encode(&a);
    ok(text != NULL, "it is written");
    is_int(fca_record_decode(&b, text, strlen(text), &err), 0, "and read");
    again = fca_record_encode(&b);
    is_str(again, text, "as it was");
    is_str(b.job, JOB, "the job letter by letter");
    is_int(b.state, FCA_S_BOOT, "the state");
    is_int(b.lease, a.lease, "the lease");
    is_int(memcmp(b.nic.mac, a.nic.mac, 6), 0, "the address of the card");
    is_int(b.nic.address.s_addr, a.nic.address.s_addr, "and its own");
    is_int(b.spec.concurrency, 7, "the spec as it was");
    free(again);
    free(text);
    fca_record_free(&b);

    free(a.job);
    a.job = NULL;
    a.spec.version = 0;
    text = fca_record_encode(&a);
    is_int(fca_record_decode(&b, text, strlen(text), &err), 0,
           "without a job too");
    ok(b.job == NULL, "there is none then");
    is_int(b.spec.version, 0, "and without a version");
    free(text);
}


/* every piece of it, and every byte of it changed, is refused or is whole */
static void
damaged(void)
{
    char          *text, *bad, *again;
    size_t         i, len, taken;
    unsigned       v;
    fcf_err_t      err;
    fca_record_t   a, b;

    sample(&a);
    text = fca_record_encode(&a);
    len = strlen(text);
    taken = 0;

    for (i = 0; i < len; i++) {
        taken += fca_record_decode(&b, text, i, &err) == 0;
    }

    is_int(taken, 0, "cut anywhere it is refused");

    bad = malloc(len);
    taken = 0;

    for (i = 0; i < len; i++) {
        for (v = 0; v < 256; v += 5) {
            memcpy(bad, text, len);
            bad[i] = (char) v;

            if (fca_record_decode(&b, bad, len, &err) != 0) {
                continue;
            }

            again = fca_record_encode(&b);
            taken += again == NULL;
            free(again);
            fca_record_free(&b);
        }
    }

    is_int(taken, 0, "with any byte changed it is refused, or can be written "
           "again");
    free(bad);
    free(text);
    fca_record_free(&a);
}


static void
refused(void)
{
    int            rc;
    char          *text, *bad, *at;
    size_t         i;
    fcf_err_t      err;
    fca_record_t   a, b;

    static const struct {
        const char  *what, *with, *says;
    } cases[] = {
        { "\"record\":1", "\"record\":2", "version" },
        { "\"record\":1", "\"record\":\"1\"", "version" },
        { "\"record\":1,", "", "version" },
        { "\"slot\":2", "\"slot\":-1", "slot" },
        { "\"slot\":2,", "", "slot: missing" },
        { "\"slot\":2", "\"slot\":2,\"slot\":2", "duplicate" },
        { "\"slot\":2", "\"slot\":2,\"new\":1", "19 fields" },
        { "\"boot\"", "\"walking\"", "state" },
        { "\"fctap12\"", "\"../../etc\"", "tap" },
        { "\"fctap12\"", "\"\"", "tap" },
        { "\"172.16.0.9\"", "\"::1\"", "address" },
        { "\"172.16.0.9\"", "\"172.16.0.999\"", "address" },
        { "\"06:00", "\"0600", "mac" },
        { "\"port\":30007", "\"port\":65536", "port" },
        { "\"node-7\"", "\"../node-7\"", "worker_id" },
        { "\"hello\"", "\"../hello\"", "function_id" },
        { "\"hello\"", "\"hullo\"", "another's" },
        { "\"job\":\"{", "\"job\":\"[", "job" },
        { "\"spec\":{", "\"spec\":{\"cpu\":0,", "duplicate" },
        { "\"cpu\":1,", "\"cpu\":0,", "cpu" },
        { "01234567-", "0123456/-", "boot_id" },
        { "\"declared\":1", "\"declared\":true", "declared" },
        { "\"born_ms\":123456", "\"born_ms\":-1", "born_ms" },
    };

    sample(&a);
    text = fca_record_encode(&a);

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        at = strstr(text, cases[i].what);
        ok(at != NULL, "%s stands there", cases[i].what);

        if (at == NULL
            || asprintf(&bad, "%.*s%s%s", (int) (at - text), text,
                        cases[i].with, at + strlen(cases[i].what)) < 0)
        {
            break;
        }

        rc = fca_record_decode(&b, bad, strlen(bad), &err);
        ok(rc != 0 && strstr(err.msg, cases[i].says), "%s: %s",
           cases[i].with, rc ? err.msg : "taken");
        free(bad);
    }

    is_int(fca_record_decode(&b, "", 0, &err), -1, "an empty file");
    is_int(fca_record_decode(&b, "null", 4, &err), -1, "null");
    is_int(fca_record_decode(&b, "[1]", 3, &err), -1, "a list");
    is_int(fca_record_decode(&b, "{}\0{}", 5, &err), -1, "a NUL");

    bad = calloc(1, 1 << 20);
    memset(bad, ' ', 1 << 20);
    is_int(fca_record_decode(&b, bad, 1 << 20, &err), -1, "a megabyte");
    free(bad);
    free(text);
    fca_record_free(&a);
}


static void
boot_id(void)
{
    char       id[FCA_BOOT_ID_LEN + 1];
    fcf_err_t  err;

    is_int(fca_boot_id(id, &err), 0, "the host's boot id");
    is_int(strlen(id), FCA_BOOT_ID_LEN, "whole");
    ok(fca_boottime_ms() > 0, "and its clock");
}


int
main(void)
{
    round_trip();
    damaged();
    refused();
    boot_id();

    return tap_done();
}
