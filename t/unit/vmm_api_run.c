/* The stand-in's calls that start the machine, and those on one that runs. */

#include "t/unit/vmm_api.h"
#include "vm/vmm/snapshot.h"

static const fct_case_t  configure[] = {
    { "PUT", MACHINE, "{\"vcpu_count\":32,\"mem_size_mib\":256}", 204, NULL },
    { "PUT", "/boot-source", "{\"kernel_image_path\":\"@a\"}", 204, NULL },
    { "PUT", "/drives/b", DRIVE("b", "true") FILE_A, 204, NULL },
    { "PUT", "/drives/a", DRIVE("a", "false") FILE_A, 204, NULL },
    { "PUT", "/serial", "{\"serial_out_path\":\"@console\"}", 204, NULL },
    { "PUT", "/metrics", "{\"metrics_path\":\"@metrics\"}", 204, NULL },
    { NULL, NULL, NULL, 0, NULL }
};

#define POST_BOOT  "The requested operation is not supported after starting "\
                   "the microVM."

static const fct_case_t  after[] = {
    { "PUT", MACHINE, "{\"vcpu_count\":1,\"mem_size_mib\":64}", 400,
      POST_BOOT },
    { "PUT", MACHINE, "{\"vcpu_count\":1}", 400, "missing field" },
    { "PUT", "/boot-source", "{\"kernel_image_path\":\"@a\"}", 400,
      POST_BOOT },
    { "PUT", "/drives/a", DRIVE("a", "false") FILE_A, 400, POST_BOOT },
    { "PUT", "/network-interfaces/n", "{\"iface_id\":\"n\","
      "\"host_dev_name\":\"x\"}", 400, POST_BOOT },
    { "PUT", "/serial", "{}", 400, POST_BOOT },
    { "PUT", "/actions", "{\"action_type\":\"InstanceStart\"}", 400,
      POST_BOOT },
    { "PUT", "/actions", "{\"action_type\":\"FlushMetrics\"}", 204, NULL },
    { "PATCH", MACHINE, "{\"mem_size_mib\":64}", 400, POST_BOOT },
    { "PUT", "/entropy", "{}", 400, POST_BOOT },
    { "PUT", "/logger", "{}", 400, POST_BOOT },
    { "PUT", "/metrics", "{\"metrics_path\":\"@m\"}", 400, POST_BOOT },
    { "PUT", "/actions", "{\"action_type\":\"SendCtrlAltDel\"}", 204, NULL },
    { "GET", "/", "", 200, "\"state\":\"Running\"" },
    { "GET", "/vm/config", "", 200, "\"vcpu_count\":32" },
    { NULL, NULL, NULL, 0, NULL }
};


static void
test_start(void)
{
    fcf_err_t     err;
    fcv_reply_t   reply;
    const char   *start = "{\"action_type\":\"InstanceStart\"}";

    fct_refuse_start = 1;
    put("/actions", start, &reply);
    is_int(reply.status, 400, "a backend can refuse at once");
    is_str(json_string_value(json_object_get(reply.body, "fault_message")),
           "Start microvm error: not today", "in its words");
    json_decref(reply.body);

    fct_refuse_start = 0;
    put("/actions", start, &reply);
    is_int(reply.status, FCV_LATER, "else the answer comes later");

    put("/actions", start, &reply);
    is_int(reply.status, 400, "a second start is refused meanwhile");
    json_decref(reply.body);

    put("/serial", "{}", &reply);
    is_int(reply.status, 400, "and so is a PUT");
    json_decref(reply.body);

    (void) fcf_err_set(&err, FCF_E_REFUSED, "QEMU says no");
    fcv_api_done(&fct_api, &err);

    is_int(fct_later_runs, 1, "the answer has come");
    is_int(fct_later_reply.status, 400, "a start can fail later");
    is_str(json_string_value(json_object_get(fct_later_reply.body,
                                             "fault_message")),
           "Start microvm error: QEMU says no", "in its words");
    json_decref(fct_later_reply.body);

    put("/actions", start, &reply);
    is_int(reply.status, FCV_LATER, "and may be tried again");

    fcv_api_done(&fct_api, NULL);
    is_int(fct_later_reply.status, 204, "then it runs");
}


static void
patch(const char *state, fcv_reply_t *reply)
{
    char  body[64];

    snprintf(body, sizeof(body), "{\"state\":\"%s\"}", state);
    fcv_api_request(&fct_api, "PATCH", "/vm", body, strlen(body), reply);
}


static void
damage(const char *path)
{
    int   fd;
    char  byte;

    fd = open(path, O_RDWR|O_CLOEXEC);

    if (fd == -1 || pread(fd, &byte, 1, 100) != 1) {
        perror(path);
        exit(1);
    }

    byte ^= 1;
    (void) !pwrite(fd, &byte, 1, 100);
    (void) close(fd);
}


static void
test_pause(void)
{
    fcf_err_t     err;
    fcv_reply_t   reply;

    patch("Resumed", &reply);
    is_int(reply.status, 204, "it is");
    patch("Paused", &reply);
    is_int(reply.status, FCV_LATER, "paused later");
    patch("Resumed", &reply);
    is_int(reply.status, 400, "one call at a time");
    json_decref(reply.body);
    (void) fcf_err_set(&err, FCF_E_REFUSED, "no");
    fcv_api_done(&fct_api, &err);
    is_int(fct_later_reply.status, 400, "it can fail");
    json_decref(fct_later_reply.body);
    fct_check(&(fct_case_t) { "GET", "/", "", 200, "\"state\":\"Running\"" });
    fct_check(&(fct_case_t) { "PUT", "/snapshot/create", SNAP "}", 400,
                      "is not paused" });

    patch("Paused", &reply);
    fcv_api_done(&fct_api, NULL);
    is_int(fct_later_reply.status, 204, "or not");
    fct_check(&(fct_case_t) { "GET", "/", "", 200, "\"state\":\"Paused\"" });
    patch("Paused", &reply);
    is_int(reply.status, 204, "twice is once");
}


static void
test_snapshot(void)
{
    char         *body;
    fcf_err_t     err;
    json_t       *state;
    fcv_reply_t   reply;

    fct_check(&(fct_case_t) { "PUT", "/snapshot/create", "{\"snapshot_path\":"
                      "\"@none/s\",\"mem_file_path\":\"@m\"}", 400,
                      "none/s: No such file" });
    fct_check(&(fct_case_t) { "PUT", "/snapshot/create", "{\"snapshot_path\":\"@s\","
                      "\"mem_file_path\":\"@none/m\"}", 400,
                      "none/m: No such file" });

    body = fct_expand(SNAP "}");
    put("/snapshot/create", body, &reply);
    is_int(reply.status, FCV_LATER, "a snapshot is made");
    fcv_api_done(&fct_api, NULL);
    is_int(fct_later_reply.status, 204, "and done");
    free(body);

    body = fct_expand("@s");
    state = fcv_snapshot_read(body, "fake", FCV_MINOR, &err);
    ok(state != NULL, "its state is read");
    json_decref(state);
    ok(fcv_snapshot_read(body, "other", FCV_MINOR, &err) == NULL
       && strstr(err.msg, "of the backend fake, this is other"),
       "by no other backend");
    ok(fcv_snapshot_read(body, "fake", 13, &err) == NULL
       && strstr(err.msg, "of version 1.16, this is 1.13"),
       "by no other version");
    damage(body);
    ok(fcv_snapshot_read(body, "fake", FCV_MINOR, &err) == NULL
       && strstr(err.msg, "CRC64 validation failed"), "nor damaged");
    ok(truncate(body, 10) == 0
       && fcv_snapshot_read(body, "fake", FCV_MINOR, &err) == NULL
       && strstr(err.msg, "it is cut"), "nor cut");
    free(body);

    fct_check(&(fct_case_t) { "PUT", "/snapshot/load", SNAP "}", 400,
                      "after starting" });
}


int
main(void)
{
    fct_set_up();
    fct_check_all(configure, FCV_MINOR);
    test_start();
    fct_check_all(after, FCV_MINOR);
    test_pause();
    test_snapshot();
    fct_tear_down();

    return tap_done();
}
