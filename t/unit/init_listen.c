/* vm/init/listen.c and oom.c: who listens, by the kernel's tables; when that
 * is told; and whom the kernel killed, by its log. */

#include "t/unit/tap.h"
#include "vm/init/listen.h"
#include "vm/init/oom.h"

#define HEAD  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->" \
              "when retrnsmt   uid  timeout inode\n"
#define REST  " 00000000:00000000 00:00000000 00000000  1000        0 9 1\n"


static void
scan(fcv_listen_t *seen, const char *text, uint16_t port)
{
    FILE  *table;

    memset(seen, 0, sizeof(*seen));
    table = fmemopen((char *) (uintptr_t) text, strlen(text), "r");
    fcv_listen_scan(seen, table, port);
    fclose(table);
}


static void
test_tables(void)
{
    fcv_listen_t  seen;

    scan(&seen, HEAD "   0: 00000000:0050 00000000:0000 0A" REST, 80);
    is_int(seen.open, 1, "0.0.0.0");

    scan(&seen, HEAD "   0: 020010AC:0050 00000000:0000 0A" REST, 80);
    is_int(seen.open, 1, "eth0's address");

    scan(&seen, HEAD "   0: 0100007F:0050 00000000:0000 0A" REST, 80);
    is_int(seen.open, 0, "127.0.0.1 is not open");
    is_str(seen.loopback, "127.0.0.1:80", "but is seen");

    scan(&seen, HEAD "  10: 020010AC:0050 010010AC:9C40 01" REST, 80);
    ok(!seen.open && !seen.loopback[0] && !seen.other[0],
       "a connection is no listener");

    scan(&seen, HEAD "   0: 020010AC:0400 00000000:0000 0A" REST
         "   1: 00000000:1F90 00000000:0000 0A" REST
         "   2: 00000000:1F91 00000000:0000 0A" REST, 80);
    is_str(seen.other, "0.0.0.0:8080", "another port, not the control port");

    scan(&seen, HEAD "   0: 00000000000000000000000000000000:0050 "
         "00000000000000000000000000000000:0000 0A" REST, 80);
    is_int(seen.open, 1, "::");

    scan(&seen, HEAD "   0: 00000000000000000000000001000000:0050 "
         "00000000000000000000000000000000:0000 0A" REST, 80);
    is_int(seen.open, 0, "::1 is not open");
    is_str(seen.loopback, "[::1]:80", "but is seen");

    scan(&seen, HEAD "   0: 0000000000000000FFFF00000100007F:0050 "
         "00000000000000000000000000000000:0000 0A" REST, 80);
    is_str(seen.loopback, "127.0.0.1:80", "and so is it, mapped");

    scan(&seen, HEAD "   0: 00000000:0051 00000000:0000 0A", 80);
    is_str(seen.other, "0.0.0.0:81", "a cut line that says enough");
    scan(&seen, "", 80);
    scan(&seen, "\n\n::: 0: :\n   0: 00:0050 00:0000 0A\n"
         "   0: 0000000000000000:0050 00000000:0000 0A\n", 80);
    ok(!seen.open && !seen.loopback[0] && !seen.other[0], "garbage");
}


static void
test_open(void)
{
    char          words[256];
    fcv_watch_t   watch;
    fcv_listen_t  none = { 0, "", "" }, open = { 1, "", "" };

    fcv_watch_start(&watch, 80, 1000);
    is_int(fcv_watch_wait(&watch, 1000), 250, "the first look");
    is_int(fcv_watch_wait(&watch, 9000), 0, "is due");
    is_int(fcv_watch_judge(&watch, &none, 1250, words, sizeof(words)),
           FCV_WATCH_QUIET, "nothing yet");
    is_int(fcv_watch_wait(&watch, 1250), 250, "the next one");
    is_int(fcv_watch_judge(&watch, &open, 1500, words, sizeof(words)),
           FCV_WATCH_QUIET, "open");
    is_int(fcv_watch_wait(&watch, 1500), -1, "nobody looks any more");

    fcv_watch_start(&watch, 80, 1000);
    fcv_watch_end(&watch);
    is_int(fcv_watch_wait(&watch, 9000), -1, "nor once it was reached");
}


static void
test_told(void)
{
    int           i, told;
    int64_t       now;
    char          words[256];
    fcv_watch_t   watch;
    fcv_listen_t  local = { 0, "127.0.0.1:80", "" };
    fcv_listen_t  other = { 0, "", "0.0.0.0:8080" }, none = { 0, "", "" };

    fcv_watch_start(&watch, 80, 0);

    for (i = 0; i < 3; i++) {
        is_int(fcv_watch_judge(&watch, &local, i, words, sizeof(words)),
               FCV_WATCH_QUIET, "loopback may pass");
    }

    fcv_watch_judge(&watch, &none, i, words, sizeof(words));

    for (i = 0; i < 3; i++) {
        is_int(fcv_watch_judge(&watch, &local, i, words, sizeof(words)),
               FCV_WATCH_QUIET, "as it did");
    }

    is_int(fcv_watch_judge(&watch, &local, i, words, sizeof(words)),
           FCV_WATCH_DEAF, "four looks in a row are no passing state");
    is_str(words, "nothing listens on 0.0.0.0:80, only on 127.0.0.1:80; "
           "listen on $PORT, not on 127.0.0.1", "its words");

    fcv_watch_start(&watch, 80, 0);

    for (told = 0, now = 0; now < 60000; now += fcv_watch_wait(&watch, now)) {
        if (fcv_watch_judge(&watch, &other, now, words, sizeof(words))
            == FCV_WATCH_TOLD)
        {
            told++;
            is_int(now, 5000, "another port is told after 5 s");
        }
    }

    is_int(told, 1, "once");
    is_str(words, "nothing listens on 0.0.0.0:80, but on 0.0.0.0:8080; "
           "listen on $PORT, which is 80", "its words");

    fcv_watch_start(&watch, 80, 500);
    is_int(fcv_watch_judge(&watch, &none, 10499, words, sizeof(words)),
           FCV_WATCH_QUIET, "none");
    is_int(fcv_watch_judge(&watch, &none, 10500, words, sizeof(words)),
           FCV_WATCH_TOLD, "is told after 10 s");
    is_str(words, "nothing listens on 0.0.0.0:80 yet, 10 s after the "
           "function's start; listen on $PORT", "its words");
}


static void
test_oom(void)
{
    char  name[64];

    is_int(fcv_oom_line("4,301,5139,-;Out of memory: Killed process 57 "
                        "(python3) total-vm:99kB, anon-rss:1kB", name), 57,
           "a process that the kernel killed");
    is_str(name, "python3", "its name");
    is_int(fcv_oom_line("3,1,2,-;Memory cgroup out of memory: Killed process "
                        "8 (a b) total", name), 8, "in a cgroup");
    is_str(name, "a b", "its name");
    is_int(fcv_oom_line("6,1,2,-;oom_reaper: reaped process 57 (x)", name), 0,
           "another line");
    is_int(fcv_oom_line("4,1,2,-;Out of memory: Killed process -1 (x)", name),
           0, "no pid");
    is_int(fcv_oom_line("", name), 0, "no line");
}


int
main(void)
{
    test_tables();
    test_open();
    test_told();
    test_oom();

    return tap_done();
}
