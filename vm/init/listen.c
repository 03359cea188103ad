#include <arpa/inet.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "vm/guest.h"
#include "vm/init/listen.h"

#define TCP_LISTENS    0x0a             /* the column "st" */
#define LOOK_MS        250
#define LOOK_LATER_MS  1000             /* once it has been told */
#define LOOPBACK_LOOKS 4                /* in a row: it is no passing state */
#define OTHER_MS       5000             /* told of another port */
#define NOTHING_MS     10000            /* told of none */


/* an address of the tables is words of the machine's byte order, in hex */

static int
get_address(const char *hex, size_t words, struct in6_addr *addr)
{
    char      digits[9];
    size_t    i;
    uint32_t  word;

    if (words != 1 && words != 4) {
        return -1;
    }

    memset(addr, 0, sizeof(*addr));

    for (i = 0; i < words; i++) {
        memcpy(digits, hex + i * 8, 8);
        digits[8] = '\0';
        word = (uint32_t) strtoul(digits, NULL, 16);
        memcpy(addr->s6_addr + (words == 1 ? 12 : i * 4), &word, 4);
    }

    if (words == 1) {
        addr->s6_addr[10] = 0xff;
        addr->s6_addr[11] = 0xff;
    }

    return 0;
}


static int
is_loopback(const struct in6_addr *addr)
{
    return IN6_IS_ADDR_LOOPBACK(addr)
           || (IN6_IS_ADDR_V4MAPPED(addr) && addr->s6_addr[12] == 127);
}


static void
set_text(char *text, const struct in6_addr *addr, unsigned port)
{
    char  buf[INET6_ADDRSTRLEN];

    if (IN6_IS_ADDR_V4MAPPED(addr)) {
        inet_ntop(AF_INET, addr->s6_addr + 12, buf, sizeof(buf));
        snprintf(text, FCV_LISTEN_ADDR, "%s:%u", buf, port);

    } else {
        inet_ntop(AF_INET6, addr, buf, sizeof(buf));
        snprintf(text, FCV_LISTEN_ADDR, "[%s]:%u", buf, port);
    }
}


static void
scan_line(fcv_listen_t *seen, const char *line, uint16_t port)
{
    char             hex[33];
    unsigned         at, state;
    struct in6_addr  addr;

    if (sscanf(line, " %*u: %32[0-9A-Fa-f]:%4x %*[0-9A-Fa-f]:%*x %2x", hex,
               &at, &state) != 3
        || state != TCP_LISTENS || strlen(hex) % 8
        || get_address(hex, strlen(hex) / 8, &addr) != 0)
    {
        return;
    }

    if (at != port) {
        if (at != FCV_CONTROL_PORT && seen->other[0] == '\0') {
            set_text(seen->other, &addr, at);
        }

    } else if (!is_loopback(&addr)) {
        seen->open = 1;

    } else if (seen->loopback[0] == '\0') {
        set_text(seen->loopback, &addr, at);
    }
}


void
fcv_listen_scan(fcv_listen_t *seen, FILE *table, uint16_t port)
{
    char  line[512];

    while (fgets(line, sizeof(line), table)) {
        scan_line(seen, line, port);
    }
}


void
fcv_listen_look(fcv_listen_t *seen, uint16_t port)
{
    FILE                     *table;
    size_t                    i;
    static const char *const  tables[] = { "/proc/net/tcp", "/proc/net/tcp6" };

    for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        table = fopen(tables[i], "re");

        if (table) {
            fcv_listen_scan(seen, table, port);
            fclose(table);
        }
    }
}


void
fcv_watch_start(fcv_watch_t *watch, int port, int64_t now_ms)
{
    watch->port = port;
    watch->since_ms = now_ms;
    watch->next_ms = now_ms + LOOK_MS;
    watch->loopback = 0;
    watch->told = 0;
}


void
fcv_watch_end(fcv_watch_t *watch)
{
    watch->next_ms = -1;
}


int
fcv_watch_wait(const fcv_watch_t *watch, int64_t now_ms)
{
    int64_t  left;

    if (watch->next_ms < 0) {
        return -1;
    }

    left = watch->next_ms - now_ms;

    return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int) left;
}


/* what there is to say after a look that did not find the port open */

static int
find_words(const fcv_watch_t *watch, const fcv_listen_t *seen,
    int64_t age_ms, char *words, size_t size)
{
    if (seen->other[0] && age_ms >= OTHER_MS) {
        snprintf(words, size, "nothing listens on 0.0.0.0:%d, but on %s; "
                 "listen on $PORT, which is %d", watch->port, seen->other,
                 watch->port);
        return 1;
    }

    if (age_ms >= NOTHING_MS) {
        snprintf(words, size, "nothing listens on 0.0.0.0:%d yet, %lld s "
                 "after the function's start; listen on $PORT", watch->port,
                 (long long) age_ms / 1000);
        return 1;
    }

    return 0;
}


fcv_watch_e
fcv_watch_judge(fcv_watch_t *watch, const fcv_listen_t *seen, int64_t now_ms,
    char *words, size_t size)
{
    watch->next_ms = now_ms + (watch->told ? LOOK_LATER_MS : LOOK_MS);

    if (seen->open) {
        fcv_watch_end(watch);
        return FCV_WATCH_QUIET;
    }

    watch->loopback = seen->loopback[0] ? watch->loopback + 1 : 0;

    if (watch->loopback >= LOOPBACK_LOOKS) {
        fcv_watch_end(watch);
        snprintf(words, size, "nothing listens on 0.0.0.0:%d, only on %s; "
                 "listen on $PORT, not on 127.0.0.1", watch->port,
                 seen->loopback);
        return FCV_WATCH_DEAF;
    }

    if (!watch->told
        && find_words(watch, seen, now_ms - watch->since_ms, words, size))
    {
        watch->told = 1;
        return FCV_WATCH_TOLD;
    }

    return FCV_WATCH_QUIET;
}


fcv_watch_e
fcv_watch_look(fcv_watch_t *watch, int64_t now_ms, char *words, size_t size)
{
    fcv_listen_t  seen;

    memset(&seen, 0, sizeof(seen));
    fcv_listen_look(&seen, (uint16_t) watch->port);

    return fcv_watch_judge(watch, &seen, now_ms, words, size);
}
