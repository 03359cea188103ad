/* TAP (https://testanything.org) for unit tests in C: one main() per file. */

#ifndef _FCT_TAP_H_INCLUDED_
#define _FCT_TAP_H_INCLUDED_

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int  tap_count, tap_failed;

__attribute__((format(printf, 4, 5), unused))
static int
tap_ok(int pass, const char *file, int line, const char *fmt, ...)
{
    va_list  args;

    printf("%sok %d - ", pass ? "" : "not ", ++tap_count);
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    printf("\n");

    if (!pass) {
        tap_failed++;
        printf("#   at %s line %d\n", file, line);
    }

    fflush(stdout);

    return pass;
}

#define ok(cond, ...)  tap_ok(!!(cond), __FILE__, __LINE__, __VA_ARGS__)

#define is_int(got, want, ...)                                              \
    do {                                                                    \
        long long  g_ = (long long) (got), w_ = (long long) (want);         \
                                                                            \
        if (!ok(g_ == w_, __VA_ARGS__)) {                                   \
            printf("#   got %lld, want %lld\n", g_, w_);                    \
        }                                                                   \
    } while (0)

#define is_str(got, want, ...)                                              \
    do {                                                                    \
        const char  *g_ = (got), *w_ = (want);                              \
                                                                            \
        if (!ok(g_ && w_ && strcmp(g_, w_) == 0, __VA_ARGS__)) {            \
            printf("#   got \"%s\"\n#  want \"%s\"\n",                      \
                   g_ ? g_ : "(null)", w_ ? w_ : "(null)");                 \
        }                                                                   \
    } while (0)

__attribute__((unused))
static int
tap_done(void)
{
    printf("1..%d\n", tap_count);
    return tap_failed != 0;
}

#endif /* _FCT_TAP_H_INCLUDED_ */
