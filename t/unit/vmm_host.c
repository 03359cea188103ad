/*
 * A process with a guest network and a VMM driver and nothing else, for
 * t/agent/vmm.t:
 *     vmm_host <state_dir> <kernel> <initrd or -> <vmm> [<vmm's arguments>]
 * Commands, a line each, on standard input:
 *     spawn <worker_id> <function image> [<runtime image>]
 *     stop|kill <worker_id>
 * Answers, a line each, on standard output, as things happen:
 *     nic <worker_id> <tap> <address>
 *     spawned|configured|booted <worker_id> <us since spawn>
 *     failed|exited <worker_id> <words>, console <worker_id> <last line>
 *     gone <worker_id>      NIC given back, nothing left
 * End of input: kills all, removes the network, ends.
 */

#include <arpa/inet.h>
#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/vmm/vmm.h"

#define HOST_VMS   256
#define HOST_NODE  "node-1"

typedef struct {
    char             worker_id[64];
    char             function[256], runtime[256];
    char             config[512];
    fca_nic_t        nic;
    fca_vmm_t       *vmm;
    uint64_t         start;
} vm_t;

static uv_loop_t       loop;
static uv_poll_t       in;
static fca_net_t      *net;
static fca_vmm_conf_t  conf;
static vm_t           *vms[HOST_VMS];
static unsigned        nvms;


static void
vm_gone(void *arg)
{
    vm_t      *vm = arg;
    unsigned   i;

    printf("gone %s\n", vm->worker_id);
    fflush(stdout);

    for (i = 0; i < nvms; i++) {
        if (vms[i] == vm) {
            vms[i] = vms[--nvms];
            break;
        }
    }

    free(vm);
}


static void
vm_words(const vm_t *vm, const char *what, const fcf_err_t *err)
{
    char         console[1024];
    const char  *last;

    printf("%s %s %s\n", what, vm->worker_id, err->msg);

    if (fca_vmm_console(vm->vmm, console, sizeof(console)) > 0) {
        last = strrchr(console, '\n');
        printf("console %s %s\n", vm->worker_id,
               last != NULL ? last + 1 : console);
    }
}


static void
vm_event(void *arg, fca_vmm_event_e event, const fcf_err_t *err)
{
    vm_t                     *vm = arg;

    static const char *const  names[] = { "spawned", "configured", "booted" };

    switch (event) {

    case FCA_VMM_SPAWNED:
    case FCA_VMM_CONFIGURED:
    case FCA_VMM_BOOTED:
        printf("%s %s %llu\n", names[event], vm->worker_id,
               (unsigned long long) (uv_hrtime() - vm->start) / 1000);

        if (event == FCA_VMM_SPAWNED) {
            fca_vmm_configure(vm->vmm);

        } else if (event == FCA_VMM_CONFIGURED) {
            fca_vmm_boot(vm->vmm);
        }

        break;

    case FCA_VMM_LOADED:
    case FCA_VMM_SAVED:
        break;

    case FCA_VMM_FAILED:
        vm_words(vm, "failed", err);
        fca_vmm_kill(vm->vmm);
        break;

    case FCA_VMM_EXITED:
        vm_words(vm, "exited", err);
        fca_vmm_free(vm->vmm);
        fca_net_give(net, &vm->nic, vm_gone, vm);
        break;
    }

    fflush(stdout);
}


static void
vm_taken(void *arg, const fca_nic_t *nic, const fcf_err_t *err)
{
    vm_t            *vm = arg;
    char             addr[INET_ADDRSTRLEN];
    fcf_err_t        why;
    fca_vmm_spec_t   spec;

    if (err != NULL) {
        printf("failed %s %s\n", vm->worker_id, err->msg);
        vm_gone(vm);
        return;
    }

    vm->nic = *nic;
    inet_ntop(AF_INET, &nic->address, addr, sizeof(addr));
    printf("nic %s %s %s\n", vm->worker_id, nic->tap, addr);

    snprintf(vm->config, sizeof(vm->config),
             "{\"function_id\":\"f\",\"version\":1,\"instance_id\":\"%s\","
             "\"port\":80,\"address\":\"%s\",\"prefix_len\":24,"
             "\"gateway\":\"172.16.0.1\",\"mac\":\"06:00:ac:10:00:%02x\","
             "\"hostname\":\"f\",\"time_ms\":0,\"env\":{},\"secrets\":{}}",
             vm->worker_id, addr, nic->mac[5]);

    memset(&spec, 0, sizeof(spec));
    spec.worker_id = vm->worker_id;
    spec.cpu = 1;
    spec.memory_mb = 128;
    spec.function_image = vm->function;
    spec.runtime_image = vm->runtime[0] != '\0' ? vm->runtime : vm->function;
    spec.config_json = vm->config;
    spec.nic = &vm->nic;
    inet_pton(AF_INET, "172.16.0.1", &spec.gateway);
    spec.prefix_len = 24;

    vm->start = uv_hrtime();
    vm->vmm = fca_vmm_spawn(&conf, &spec, vm_event, vm, &why);

    if (vm->vmm == NULL) {
        printf("failed %s %s\n", vm->worker_id, why.msg);
        fca_net_give(net, &vm->nic, vm_gone, vm);
    }

    fflush(stdout);
}


static void
command(char *line)
{
    int        n;
    vm_t      *vm;
    char       verb[16], id[64], function[256], runtime[256];
    unsigned   i;
    fcf_err_t  err;

    runtime[0] = '\0';
    n = sscanf(line, "%15s %63s %255s %255s", verb, id, function, runtime);

    if (n >= 3 && strcmp(verb, "spawn") == 0 && nvms < HOST_VMS) {
        vm = calloc(1, sizeof(*vm));
        memcpy(vm->worker_id, id, sizeof(id));
        memcpy(vm->function, function, sizeof(function));
        memcpy(vm->runtime, runtime, sizeof(runtime));
        vms[nvms++] = vm;

        if (fca_net_take(net, NULL, vm_taken, vm, &err) != 0) {
            printf("failed %s %s\n", id, err.msg);
            vm_gone(vm);
        }

        return;
    }

    for (i = 0; n >= 2 && i < nvms; i++) {
        if (strcmp(vms[i]->worker_id, id) != 0 || vms[i]->vmm == NULL) {
            continue;
        }

        if (strcmp(verb, "stop") == 0) {
            fca_vmm_stop_guest(vms[i]->vmm, 5000);

        } else if (strcmp(verb, "kill") == 0) {
            fca_vmm_kill(vms[i]->vmm);
        }

        return;
    }

    printf("error command: %s\n", line);
    fflush(stdout);
}


static void
input(uv_poll_t *poll, int status, int events)
{
    unsigned        i;
    ssize_t         n;

    static char     line[1024];
    static size_t   len;

    (void) status;
    (void) events;

    n = read(STDIN_FILENO, &line[len], 1);

    if (n > 0 && line[len] != '\n') {
        len += len < sizeof(line) - 1;
        return;
    }

    line[len] = '\0';
    len = 0;

    if (n > 0) {
        command(line);
        return;
    }

    uv_close((uv_handle_t *) poll, NULL);

    for (i = 0; i < nvms; i++) {
        if (vms[i]->vmm != NULL) {
            fca_vmm_kill(vms[i]->vmm);
        }
    }
}


int
main(int argc, char **argv)
{
    int             n;
    fcf_err_t       err;
    fcf_loop_t      ops;
    fcf_http_t     *http;
    fca_net_conf_t  nc;

    if (argc < 5) {
        fprintf(stderr, "vmm_host: four arguments at least\n");
        return 2;
    }

    fca_log_init(STDERR_FILENO, FCF_LOG_WARN, HOST_NODE);
    signal(SIGPIPE, SIG_IGN);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    uv_loop_init(&loop);
    fca_loop_init(&ops, &loop, NULL);

    n = fca_vmm_reclaim(argv[1], NULL, NULL, &err);

    if (n < 0) {
        printf("refused %s\n", err.msg);
        return 1;
    }

    printf("reclaimed %d\n", n);

    memset(&nc, 0, sizeof(nc));
    nc.bridge = "fcv-br";
    nc.tap_prefix = "fcvtap";
    nc.node_id = HOST_NODE;
    nc.prefix_len = 24;
    nc.pool_max = 16;
    inet_pton(AF_INET, "172.16.0.1", &nc.address);

    net = fca_net_open(&loop, &nc, &err);

    if (net == NULL) {
        printf("refused %s\n", err.msg);
        return 1;
    }

    http = fcf_http_new(&ops, &err);

    conf.uv = &loop;
    conf.http = http;
    conf.run_dir = argv[1];
    conf.kernel = argv[2];
    conf.initrd = strcmp(argv[3], "-") != 0 ? argv[3] : NULL;
    conf.binary = argv[4];
    conf.extra_args = (const char *const *) &argv[5];

    printf("open\n");
    fflush(stdout);

    uv_poll_init(&loop, &in, STDIN_FILENO);
    uv_poll_start(&in, UV_READABLE, input);
    uv_run(&loop, UV_RUN_DEFAULT);

    fcf_http_free(http);
    fca_net_close(net, 1);
    uv_run(&loop, UV_RUN_DEFAULT);

    if (nvms != 0 || uv_loop_close(&loop) != 0) {
        printf("error something is left\n");
        return 1;
    }

    curl_global_cleanup();
    printf("closed\n");

    return 0;
}
