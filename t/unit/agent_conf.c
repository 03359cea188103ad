#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "agent/base/conf.h"
#include "t/unit/tap.h"

static char  path[] = "/tmp/fcf-agent-conf-XXXXXX";

static void
file(const char *text)
{
    FILE  *f;

    f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
}

static int
load(fca_conf_t *conf, const char *option, fcf_err_t *err)
{
    char   arg[64];
    char  *argv[4];
    int    argc = 0;

    snprintf(arg, sizeof(arg), "--conf=%s", path);
    argv[argc++] = (char *) (uintptr_t) "fcfaas-agent";
    argv[argc++] = arg;

    if (option) {
        argv[argc++] = (char *) (uintptr_t) option;
    }

    argv[argc] = NULL;
    err->msg[0] = '\0';

    return fca_conf_load(conf, argc, argv, err);
}

static void
good(void)
{
    fcf_err_t   err;
    fca_conf_t  conf;

    file("# a comment\n[agent]\n\n node_id =  n1 \nport_first=31000\n"
         "etcd = http://10.0.0.1:2379, http://10.0.0.2:2379\n"
         "allow = 10.1.2.3/8 192.168.0.1\nvmm_args = --backend  instant\n"
         "cgroups = no\ncgroup_root = a.slice/b\njailer = yes\n"
         "dns = 9.9.9.9 10.1.2.53\n"
         "egress = internet\negress_allow = 10.1.2.3/24\nbridge_address = 172.20.0.1/20\n");

    if (!ok(load(&conf, "--port-last=31999", &err) == 0, "loads: %s",
            err.msg))
    {
        return;
    }

    is_str(conf.node_id, "n1", "a name, trimmed");
    is_int(conf.port_first, 31000, "a number of the file");
    is_int(conf.port_last, 31999, "a number of an option");
    is_int(conf.etcd.n, 2, "two endpoints");
    is_str(conf.etcd.items[1], "http://10.0.0.2:2379", "the second");
    ok(conf.etcd.items[2] == NULL, "and the end");
    is_int(conf.nallow, 2, "two networks");
    is_int(ntohl(conf.allow[0].addr), 0x0a000000, "host bits are cut");
    is_int(ntohl(conf.allow[1].mask), 0xffffffff, "no length is one host");
    is_int(conf.vmm_args.n, 2, "two words");
    is_int(conf.egress, 1, "egress");
    is_int(conf.negress_allow, 1, "a network beside the internet");
    is_int(ntohl(conf.egress_allow[0].addr), 0x0a010200, "without host bits");
    is_int(conf.ndns, 2, "two name servers");
    is_int(ntohl(conf.dns[1].s_addr), 0x0a010235, "the second");
    is_int(conf.egress_connections, 1024, "connections of a guest");
    is_int(conf.cgroups, 2, "cgroups");
    is_str(conf.cgroup_root, "a.slice/b", "their root");
    is_int(conf.jailer, 1, "jailer");
    is_int(conf.bridge_prefix_len, 20, "prefix length");
    is_int(conf.max_boots, 8, "a default");
    is_int(conf.jail_uid_first, 1900000000, "a large one");
    is_str(conf.bridge, "fc-bridge0", "another");
    ok(conf.token == NULL, "no token");
    fca_conf_free(&conf);
}

static void
option_first(void)
{
    fcf_err_t   err;
    fca_conf_t  conf;

    file("node_id = n1\n");
    is_int(load(&conf, "--node_id=n2", &err), 0, "option over file");
    is_str(conf.node_id, "n2", "the option goes before");
    fca_conf_free(&conf);
}

#define TEN(s)  s s s s s s s s s s

/* settings that are refused, and what the refusal names */
static const struct {
    const char  *line, *words[3];
} bad_lines[] = {
    { "frob = 1", { ":2: ", "frob", "\"1\"" } },
    { "node_id = UPPER", { ":2: ", "node_id", "\"UPPER\"" } },
    { "node_id = n1\nnode_id = n2", { ":3: ", "\"n2\"", "twice" } },
    { "port_first = 0", { ":2: ", "port_first", "\"0\"" } },
    { "port_first = 80x", { ":2: ", "\"80x\"", "whole number" } },
    { "port_first = -1", { ":2: ", "\"-1\"", "whole number" } },
    { "port_first = 31000\nport_last = 30999",
      { "port_last", "30999", "31000" } },
    { "etcd = http://etcd.example:2379",
      { ":2: ", "etcd", "etcd.example" } },
    { "etcd =", { ":2: ", "etcd", "items" } },
    { "etcd = http://a:secret@10.0.0.1:2379",
      { "etcd = \"(not shown)\"", "own", "@" } },
    { "redis = :secret@10.0.0.1:6379",
      { "redis = \"(not shown)\"", "own", "@" } },
    { "redis_password = secret",
      { "\"redis_password\"", "(not shown)", "unknown" } },
    { "redis = localhost", { ":2: ", "redis", "localhost" } },
    { "advertise = 0.0.0.0", { ":2: ", "advertise", "0.0.0.0" } },
    { "advertise = here", { ":2: ", "advertise", "here" } },
    { "listen = 0.0.0.0", { ":2: ", "listen", "0.0.0.0" } },
    { "allow = 10.0.0.0/33", { ":2: ", "allow", "10.0.0.0/33" } },
    { "bridge_address = 172.16.0.0/24",
      { ":2: ", "bridge_address", "172.16.0.0/24" } },
    { "bridge_address = 172.16.0.1/30",
      { ":2: ", "172.16.0.1/30", "/29" } },
    { "egress_allow = 10.0.0.0/33", { ":2: ", "egress_allow", "/33" } },
    { "egress_connections = 0", { ":2: ", "egress_connections", "0" } },
    { "dns = 9.9.9.9 ns.example",
      { ":2: ", "dns", "\"ns.example\"" } },
    { "dns = 127.0.0.53", { ":2: ", "127.0.0.53", "guests" } },
    { "dns = 0.0.0.0", { ":2: ", "0.0.0.0", "guests" } },
    { "dns = ::1", { ":2: ", "::1", "IPv4" } },
    { "dns = 1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4",
      { ":2: ", "dns", "at most 3" } },
    { "egress = all", { ":2: ", "egress", "\"all\"" } },
    { "adopt = maybe", { ":2: ", "adopt", "\"maybe\"" } },
    { "cgroups = maybe", { ":2: ", "cgroups", "\"maybe\"" } },
    { "cgroup_root = /a", { ":2: ", "cgroup_root", "\"/a\"" } },
    { "cgroup_root = a/../b", { ":2: ", "cgroup_root", "a/../b" } },
    { "cgroup_root = a//b", { ":2: ", "cgroup_root", "a//b" } },
    { "cgroup_root = .", { ":2: ", "cgroup_root", "names" } },
    { "jailer = maybe", { ":2: ", "jailer", "yes or no" } },
    { "jail_uid_first = 0", { ":2: ", "jail_uid_first", "\"0\"" } },
    { "jail_uid_first = 70000\njail_uid_last = 69999",
      { "jail_uid_last", "69999", "70000" } },
    { "jailer = yes\njail_uid_first = 70000\njail_uid_last = 70001",
      { "jail_uid_last", "70001", "max_vms" } },
    { "jailer = yes\nvmm_args = --backend qemu",
      { "jailer", "--backend qemu", "QEMU's files" } },
    { "jailer = yes\nvmm_args = --backend=qemu",
      { "jailer", "--backend qemu", "QEMU's files" } },
    { "vmm_overhead_mb = -1", { ":2: ", "vmm_overhead_mb", "-1" } },
    { "log_level = loud", { ":2: ", "log_level", "\"loud\"" } },
    { "tap_prefix = abcdefghijk", { ":2: ", "tap_prefix", "letters" } },
    { "prefix = a b", { ":2: ", "prefix", "\"a b\"" } },
    { "[gateway]", { ":2: ", "section", "gateway" } },
    { "just words", { ":2: ", "just words", "name = value" } },
    { "etcd_cert = /x", { "etcd_cert", "/x", "without" } },
    { "etcd_user = u", { "etcd_user", "\"u\"", "without" } },
    { "redis_user = u", { "redis_user", "\"u\"", "without" } },
    { "vmm_args =" TEN(" -a") TEN(" -a") TEN(" -a"),
      { ":2: ", "vmm_args", "items" } },
    { "kernel_args =" TEN(TEN(" quiet quiet")),
      { ":2: ", "kernel_args", "at most" } },
    { "state_dir =", { ":2: ", "state_dir", "empty" } },
    { "functions =", { ":2: ", "functions", "empty" } },
};

static void
bad_line(const char *line, const char *const *words)
{
    int         rc;
    char        text[2048];
    size_t      k;
    fcf_err_t   err;
    fca_conf_t  conf;

    snprintf(text, sizeof(text), "# first\n%s\n", line);
    file(text);
    rc = load(&conf, NULL, &err);
    ok(rc == -1, "refused: %.*s", (int) strcspn(line, "\n"), line);

    if (rc == 0) {
        fca_conf_free(&conf);
        return;
    }

    for (k = 0; k < 3; k++) {
        ok(strstr(err.msg, words[k]), "\"%s\" names %s", err.msg, words[k]);
    }
}

static void
bad(void)
{
    size_t  i;

    for (i = 0; i < sizeof(bad_lines) / sizeof(bad_lines[0]); i++) {
        bad_line(bad_lines[i].line, bad_lines[i].words);
    }
}

static void
bad_options(void)
{
    size_t             i;
    fcf_err_t          err;
    fca_conf_t         conf;
    static const char *const  t[] = {
        "--frob=1", "--frob", "node_id=n1", "--max_vms=0", "--=",
        "--trial-timeout=0", "--node-id=", "--"
    };

    file("node_id = n1\n");

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        ok(load(&conf, t[i], &err) == -1 && *err.msg, "refused: %s (%s)",
           t[i], err.msg);
    }
}

static void
secrets(void)
{
    fcf_err_t   err;
    fca_conf_t  conf;
    char        option[64], longest[FCA_TOKEN_MAX + 16];

    file("node_id = n1\n");
    snprintf(option, sizeof(option), "--token_file=%s", path);
    is_int(load(&conf, option, &err), 0, "a token file");
    is_int(fca_conf_secrets(&conf, &err), 0, "is read");
    is_str(conf.token, "node_id = n1", "without the line's end");
    memset(longest, 'x', FCA_TOKEN_MAX);
    snprintf(longest + FCA_TOKEN_MAX, 16, "\nmore\n");
    file(longest);
    is_int(fca_conf_secrets(&conf, &err), 0, "the longest there may be");
    is_int(strlen(conf.token), FCA_TOKEN_MAX, "whole, without what follows");
    longest[FCA_TOKEN_MAX] = 'x';
    file(longest);
    is_int(fca_conf_secrets(&conf, &err), -1, "one more is refused");
    file("");
    is_int(fca_conf_secrets(&conf, &err), -1, "an empty one is refused");
    ok(strstr(err.msg, "token_file"), "by name: %s", err.msg);
    fca_conf_free(&conf);

    file("node_id = n1\n");
    is_int(load(&conf, "--token_file=/nonexistent/x", &err), 0, "no file");
    is_int(fca_conf_secrets(&conf, &err), -1, "is refused");
    ok(strstr(err.msg, "/nonexistent/x"), "by name: %s", err.msg);
    fca_conf_free(&conf);

    is_int(load(&conf, "--vmm=no-such-program-anywhere", &err), 0, "vmm");
    is_int(fca_conf_guest_files(&conf, &err), -1, "is not on PATH");
    ok(strstr(err.msg, "PATH"), "%s", err.msg);
    fca_conf_free(&conf);

    is_int(load(&conf, "--vmm=sh", &err), 0, "one that is there");
    ok(fca_conf_guest_files(&conf, &err) == 0 || strstr(err.msg, "kernel = "),
       "is taken");
    ok(conf.vmm[0] == '/' && access(conf.vmm, X_OK) == 0,
       "is known by its path from then on: %s", conf.vmm);
    fca_conf_free(&conf);
}

int
main(void)
{
    int  fd;

    fd = mkstemp(path);
    if (fd == -1) {
        return 1;
    }

    close(fd);
    good();
    option_first();
    bad();
    bad_options();
    secrets();
    unlink(path);

    return tap_done();
}
