/* Text of others: what is shown of it. */

#include <string.h>

#include "contract/fcf_text.h"
#include "t/unit/tap.h"

typedef struct {
    const char  *in, *line, *lines;     /* lines NULL: the same */
} case_t;

static const case_t  cases[] = {
    { "plain words", "plain words", NULL },
    { "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
      "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", NULL },
    { "a\r\nb\tc", "a\\nb\\tc", "a\nb\tc" },
    { "a\rb", "a\\rb", NULL },
    { "\x1b[31mred\x1b[0m", "red", NULL },
    { "\x1b[2J\x1b[1;1H!", "!", NULL },
    { "\x1b]0;title\x07", "\\x1b]0;title\\x07", NULL },
    { "\x1b[31", "", NULL },
    { "\x1b[\x01z", "\\x01z", NULL },
    { "\x1b", "\\x1b", NULL },
    { "\x7f\x08", "\\x7f\\x08", NULL },
    { "\xc2\x9b" "31m", "\\u009b31m", NULL },
    { "\xe2\x80\xae" "gpj", "\\u202egpj", NULL },
    { "\xef\xbb\xbf", "\\ufeff", NULL },
    { "\xf3\xa0\x80\x81", "\\U000e0001", NULL },
    { "\xff\xfe", "\\xff\\xfe", NULL },
    { "\xc0\x80 \xe0\x80\x80", "\\xc0\\x80 \\xe0\\x80\\x80", NULL },
    { "\xed\xa0\x80", "\\xed\\xa0\\x80", NULL },
    { "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", NULL },
    { "cut \xe2\x82", "cut \\xe2\\x82", NULL },
    { "\\n \\x1b", "\\n \\x1b", NULL },
};


int
main(void)
{
    char           out[256], again[256];
    size_t         i, n, size;
    const case_t  *c;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        c = &cases[i];

        n = fcf_text_clean(out, sizeof(out), c->in, strlen(c->in), 0);
        is_str(out, c->line, "%zu: in a line", i);
        is_int(n, strlen(c->line), "%zu: its length", i);

        fcf_text_clean(again, sizeof(again), out, n, 0);
        is_str(again, out, "%zu: twice is as once", i);

        fcf_text_clean(out, sizeof(out), c->in, strlen(c->in),
                       FCF_TEXT_LINES);
        is_str(out, c->lines != NULL ? c->lines : c->line, "%zu: as lines",
               i);

        for (size = 1; size < sizeof(again); size++) {
            n = fcf_text_clean(again, size, c->in, strlen(c->in), 0);

            if (n >= size || strlen(again) != n
                || strncmp(again, c->line, n) != 0)
            {
                break;
            }
        }

        is_int(size, sizeof(again), "%zu: cut anywhere", i);
    }

    n = fcf_text_clean(out, sizeof(out), "a\0b", 3, 0);
    is_str(out, "a\\x00b", "a NUL");
    is_int(n, 6, "does not end the text");

    n = fcf_text_clean(out, 4, "ab\x01", 3, 0);
    is_str(out, "ab", "no half of an escape");

    return tap_done();
}
