/* contract/fcf_trace.h: what is a traceparent, and what is made of it. */

#include "contract/fcf_trace.h"
#include "t/unit/tap.h"

#define ID      "0af7651916cd43dd8448eb211c80319c"
#define PARENT  "b7ad6b7169203331"
#define ZERO    "00000000000000000000000000000000"


static const struct {
    const char  *text;
    int          valid;
    unsigned     flags;
} cases[] = {
    { "00-" ID "-" PARENT "-01", 1, 1 },
    { "00-" ID "-" PARENT "-00", 1, 0 },
    { "00-" ID "-" PARENT "-ff", 1, 3 },
    { "00-" ID "-" PARENT "-02", 1, 2 },
    { "cc-" ID "-" PARENT "-01", 1, 1 },
    { "cc-" ID "-" PARENT "-01-what-the-future-brings", 1, 1 },
    { "cc-" ID "-" PARENT "-01.what-the-future-brings", 0, 0 },
    { "cc-" ID "-" PARENT "-01-", 1, 1 },
    { "00-" ID "-" PARENT "-01-more", 0, 0 },
    { "00-" ID "-" PARENT "-01 ", 0, 0 },
    { "ff-" ID "-" PARENT "-01", 0, 0 },
    { "FF-" ID "-" PARENT "-01", 0, 0 },
    { "00-0AF7651916cd43dd8448eb211c80319c-" PARENT "-01", 0, 0 },
    { "00-" ZERO "-" PARENT "-01", 0, 0 },
    { "00-" ID "-0000000000000000-01", 0, 0 },
    { "00-" ID "-" PARENT "-0", 0, 0 },
    { "00-" ID "-" PARENT "-0g", 0, 0 },
    { "00_" ID "-" PARENT "-01", 0, 0 },
    { "00-" ID "_" PARENT "-01", 0, 0 },
    { "00-" ID "-" PARENT "_01", 0, 0 },
    { "", 0, 0 },
};


int
main(void)
{
    char         one[FCF_TRACE_LEN + 1], two[FCF_TRACE_LEN + 1];
    size_t       i;
    fcf_trace_t  trace, again;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_int(fcf_trace_parse(&trace, cases[i].text, strlen(cases[i].text)),
               cases[i].valid, "%s", cases[i].text);

        if (cases[i].valid) {
            is_int(trace.flags, cases[i].flags, "its flags");
            ok(memcmp(trace.id, ID, 32) == 0, "its id");
        }
    }

    fcf_trace_format(one, &trace);
    fcf_trace_format(two, &trace);
    is_int(strlen(one), FCF_TRACE_LEN, "as long as it is to be");
    is_int(fcf_trace_parse(&again, one, strlen(one)), 1, "and valid");
    ok(memcmp(again.id, ID, 32) == 0 && again.flags == trace.flags,
       "the same trace");
    ok(memcmp(one, two, 36) == 0 && memcmp(one, two, FCF_TRACE_LEN) != 0,
       "with a parent of its own");

    fcf_trace_new(&trace);
    fcf_trace_new(&again);
    fcf_trace_format(one, &trace);
    is_int(fcf_trace_parse(&trace, one, strlen(one)), 1, "a new one is valid");
    is_int(trace.flags, 3, "sampled, and random");
    ok(memcmp(trace.id, again.id, 32) != 0, "and none like the other");

    return tap_done();
}
