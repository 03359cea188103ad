#include <stdlib.h>
#include "agent/base/prom.h"
#include "t/unit/tap.h"

static void
test_text(void)
{
    fcf_buf_t          buf;
    fca_prom_t         prom;
    const fca_label_t  labels[] = { { "state", "ready" },
                                    { "why", "a \"b\"\\\nc" } };

    fcf_buf_init(&buf, 4096);
    fca_prom_begin(&prom, &buf);
    fca_prom_family(&prom, "fcfaas_agent_vms", "gauge", "VMs, by state.");
    fca_prom_value(&prom, labels, 1, 3);
    fca_prom_value(&prom, labels, 2, 0.25);
    fca_prom_one(&prom, "fcfaas_big_total", "counter", "Large.",
                 9007199254740991.0);

    is_int(fca_prom_end(&prom), 0, "it fits");
    is_str(buf.data,
           "# HELP fcfaas_agent_vms VMs, by state.\n"
           "# TYPE fcfaas_agent_vms gauge\n"
           "fcfaas_agent_vms{state=\"ready\"} 3\n"
           "fcfaas_agent_vms{state=\"ready\",why=\"a \\\"b\\\"\\\\\\nc\"} 0.25\n"
           "# HELP fcfaas_big_total Large.\n"
           "# TYPE fcfaas_big_total counter\n"
           "fcfaas_big_total 9.00719925474099e+15\n",
           "label values are escaped");
    fcf_buf_free(&buf);
}

static void
test_hist(void)
{
    fcf_buf_t          buf;
    fca_hist_t         hist;
    fca_prom_t         prom;
    const fca_label_t  label = { "phase", "boot" };

    memset(&hist, 0, sizeof(hist));
    fca_hist_add(&hist, 0);
    fca_hist_add(&hist, 1);
    fca_hist_add(&hist, 2);
    fca_hist_add(&hist, 60000);
    fca_hist_add(&hist, 60001);
    is_int(fca_hist_count(&hist), 5, "all are counted");
    is_int(hist.n[0], 2, "a bound belongs to its bucket");
    is_int(hist.n[FCA_HIST_BOUNDS], 1, "and what is above the last to none");

    fcf_buf_init(&buf, 4096);
    fca_prom_begin(&prom, &buf);
    fca_prom_family(&prom, "t_seconds", "histogram", "T.");
    fca_prom_hist(&prom, &label, 1, &hist);
    is_int(fca_prom_end(&prom), 0, "it fits");
    ok(strstr(buf.data, "t_seconds_bucket{phase=\"boot\",le=\"0.001\"} 2\n"),
       "the first bucket");
    ok(strstr(buf.data, "t_seconds_bucket{phase=\"boot\",le=\"0.002\"} 3\n"),
       "buckets are cumulative");
    ok(strstr(buf.data, "t_seconds_bucket{phase=\"boot\",le=\"60\"} 4\n"
              "t_seconds_bucket{phase=\"boot\",le=\"+Inf\"} 5\n"
              "t_seconds_sum{phase=\"boot\"} 120.004\n"
              "t_seconds_count{phase=\"boot\"} 5\n"), "sum and count");

    buf.len = 0;
    fca_prom_hist(&prom, NULL, 0, &hist);
    ok(strstr(buf.data, "t_seconds_bucket{le=\"+Inf\"} 5\n"),
       "without labels");
    fcf_buf_free(&buf);
}

static void
test_full(void)
{
    fcf_buf_t   buf;
    fca_prom_t  prom;

    fcf_buf_init(&buf, 64);
    fca_prom_begin(&prom, &buf);
    fca_prom_one(&prom, "fcfaas_a_total", "counter", "Something long.", 1);
    fca_prom_one(&prom, "fcfaas_b_total", "counter", "Something long.", 1);
    is_int(fca_prom_end(&prom), -FCF_E_LIMIT, "too long is told");
    ok(buf.data == NULL, "and nothing is half-written");
}

int
main(void)
{
    test_text();
    test_hist();
    test_full();

    return tap_done();
}
