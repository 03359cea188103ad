/* vm/init/config.c: a good drive, and all the bad ones with their words. */

#include <arpa/inet.h>
#include <stdlib.h>
#include <unistd.h>
#include "t/unit/tap.h"
#include "vm/guest.h"
#include "vm/init/config.h"
#include "vm/init/frame.h"

#define NET  "\"address\":\"172.16.0.2\",\"gateway\":\"172.16.0.1\""
#define MIN  "\"function_id\":\"hello\"," NET

static fcf_err_t  err;


/* the drive in memory of its own size, so that a read beyond it is seen */

static uint8_t *
drive(const char *magic, uint32_t announced, const char *json, size_t *len)
{
    uint8_t  *data;

    *len = FCV_CONFIG_HEAD + strlen(json);
    data = malloc(*len);
    memcpy(data, magic, 8);
    fcv_put_be32(data + 8, announced);
    memcpy(data + FCV_CONFIG_HEAD, json, strlen(json));

    return data;
}


static int
decode(fcv_config_t *conf, const char *json)
{
    int       rc;
    size_t    len;
    uint8_t  *data;

    data = drive(FCV_CONFIG_MAGIC, (uint32_t) strlen(json), json, &len);
    rc = fcv_config_decode(conf, data, len, &err);
    free(data);

    return rc;
}


static void
refused(const char *json, const char *words)
{
    fcv_config_t  conf;

    if (!ok(decode(&conf, json) == -1, "refused: %.60s", json)) {
        fcv_config_free(&conf);
        return;
    }

    is_str(err.msg, words, "with its words");
}


static const char *
variable(const fcv_config_t *conf, const char *name)
{
    char        **p;
    const char   *last;

    last = NULL;

    for (p = conf->env; *p; p++) {
        if (strncmp(*p, name, strlen(name)) == 0
            && (*p)[strlen(name)] == '=')
        {
            last = *p + strlen(name) + 1;
        }
    }

    return last;
}


static void
test_full(void)
{
    fcv_config_t  conf;

    is_int(decode(&conf, "{" MIN ",\"version\":7,\"instance_id\":\"n1-3\","
                  "\"port\":8080,\"prefix_len\":20,\"mtu\":1400,"
                  "\"mac\":\"06:00:ac:10:00:02\",\"hostname\":\"box\","
                  "\"time_ms\":1700000000123,\"later\":[1],"
                  "\"memory_mb\":256,\"seed\":\"AAAA\","
                  "\"dns\":[\"10.0.0.53\",\"10.0.1.53\"],"
                  "\"env\":{\"A\":\"1\",\"PORT\":\"9\"},"
                  "\"secrets\":{\"KEY\":\"s=e\"}}"), 0, "a full drive");
    is_str(conf.function_id, "hello", "function_id");
    is_str(conf.hostname, "box", "hostname");
    is_int(conf.port, 8080, "port");
    is_str(inet_ntoa(conf.address), "172.16.0.2", "address");
    is_str(inet_ntoa(conf.netmask), "255.255.240.0", "netmask");
    is_str(inet_ntoa(conf.gateway), "172.16.0.1", "gateway");
    is_int(conf.mtu, 1400, "MTU");
    ok(conf.has_mac && memcmp(conf.mac, "\6\0\254\20\0\2", 6) == 0, "mac");
    is_int(conf.time_ms, 1700000000123, "time");
    is_int(conf.memory_mb, 256, "memory");
    is_str(conf.seed, "AAAA", "seed");
    is_int(conf.ndns, 2, "two name servers");
    is_str(inet_ntoa(conf.dns[1]), "10.0.1.53", "the second");
    is_str(variable(&conf, "A"), "1", "a variable");
    is_str(variable(&conf, "KEY"), "s=e", "a secret");
    is_str(variable(&conf, "PORT"), "8080", "PORT is ours");
    is_str(variable(&conf, "FCFAAS_FUNCTION_ID"), "hello", "function id");
    is_str(variable(&conf, "FCFAAS_VERSION"), "7", "version");
    is_str(variable(&conf, "FCFAAS_INSTANCE_ID"), "n1-3", "instance id");
    fcv_config_free(&conf);

    is_int(decode(&conf, "{" MIN "}"), 0, "the least");
    is_int(conf.port, 80, "port 80");
    is_str(conf.hostname, "hello", "hostname by the function");
    is_str(inet_ntoa(conf.netmask), "255.255.255.0", "prefix 24");
    ok(!conf.has_mac && conf.time_ms == 0, "no mac, no time");
    is_int(conf.mtu, 0, "no MTU");
    ok(conf.ndns == 0 && conf.seed == NULL && conf.memory_mb == 0,
       "no name server, no seed");
    fcv_config_free(&conf);
}


static void
test_fields(void)
{
    refused("{" NET "}", "function_id is not a string");
    refused("{\"function_id\":\"\"," NET "}", "function_id is not a string");
    refused("{\"function_id\":\"x\"}", "address is not a string");
    refused("{\"function_id\":\"x\",\"address\":\"10.0.0\"}",
            "address is \"10.0.0\", not an IPv4 address");
    refused("{" MIN ",\"port\":0}", "port is 0, not within 1-65535");
    refused("{" MIN ",\"port\":\"80\"}", "port is not an integer");
    refused("{" MIN ",\"prefix_len\":31}",
            "prefix_len is 31, not within 1-30");
    refused("{" MIN ",\"mtu\":67}", "mtu is 67, not within 68-65535");
    refused("{" MIN ",\"mac\":\"06:00:ac:10:00\"}",
            "mac is \"06:00:ac:10:00\", not a unicast MAC address");
    refused("{" MIN ",\"mac\":\"07:00:ac:10:00:02\"}",
            "mac is \"07:00:ac:10:00:02\", not a unicast MAC address");
    refused("{" MIN ",\"time_ms\":-1}",
            "time_ms is -1, not within 0-9223372036854775807");
    refused("{" MIN ",\"hostname\":5}", "hostname is not a string");
    refused("{" MIN ",\"version\":true}", "version is not an integer");
    refused("{" MIN ",\"env\":[]}", "env is not an object");
    refused("{" MIN ",\"env\":{\"A=B\":\"c\"}}",
            "env: \"A=B\" is not a variable's name");
    refused("{" MIN ",\"secrets\":{\"K\":17}}",
            "secrets: the value of K is not a string");
    refused("{" MIN ",\"env\":{\"A\":\"b\\u0000c\"}}",
            "bad JSON at byte 90");
    refused("{" MIN ",\"memory_mb\":-1}",
            "memory_mb is -1, not within 0-2147483647");
    refused("{" MIN ",\"seed\":1}", "seed is not a string");
    refused("{" MIN ",\"dns\":\"10.0.0.1\"}",
            "dns is not a list of at most 3 addresses");
    refused("{" MIN ",\"dns\":[\"::1\"]}",
            "dns: \"::1\" is not an IPv4 address");
    refused("{" MIN ",\"dns\":[7]}", "dns: \"\" is not an IPv4 address");
    refused("{" MIN ",\"dns\":[\"1.1.1.1\",\"1.1.1.1\",\"1.1.1.1\","
            "\"1.1.1.1\"]}", "dns is not a list of at most 3 addresses");
    refused("[]", "JSON is not an object");
    refused("{\"a\":", "bad JSON at byte 5");
}


static void
test_drive(void)
{
    size_t         i, len;
    uint8_t       *data, *part;
    fcv_config_t   conf;

    data = drive("FCVCONF2", 2, "{}", &len);
    is_int(fcv_config_decode(&conf, data, len, &err), -1, "wrong magic");
    is_str(err.msg, "does not begin with FCVCONF1", "its words");
    free(data);

    data = drive(FCV_CONFIG_MAGIC, FCV_CONFIG_MAX + 1, "{}", &len);
    is_int(fcv_config_decode(&conf, data, len, &err), -1, "too long");
    is_str(err.msg, "1048577 bytes of JSON announced, at most 1048576 "
           "allowed", "its words");
    free(data);

    data = drive(FCV_CONFIG_MAGIC, 0xffffffff, "{}", &len);
    is_int(fcv_config_decode(&conf, data, len, &err), -1, "far too long");
    free(data);

    data = drive(FCV_CONFIG_MAGIC, 500, "{}", &len);
    is_int(fcv_config_decode(&conf, data, len, &err), -1, "truncated");
    is_str(err.msg, "500 bytes of JSON announced, 2 are there", "its words");
    free(data);

    data = drive(FCV_CONFIG_MAGIC, (uint32_t) strlen("{" MIN "}"),
                 "{" MIN "}", &len);

    for (i = 0; i < len; i++) {
        part = malloc(i + 1);
        memcpy(part, data, i);
        if (fcv_config_decode(&conf, part, i, &err) != -1) {
            break;
        }
        free(part);
    }

    is_int(i, len, "cut anywhere: refused");
    free(data);
}


static void
test_read(void)
{
    int           fd;
    char          path[] = "/tmp/fcfaas-config-XXXXXX";
    size_t        len;
    uint8_t      *data, zeros[512] = { 0 };
    fcv_config_t  conf;

    is_int(fcv_config_read(&conf, "/nonexistent/vdc", &err), -1, "no drive");
    is_str(err.msg, "open: No such file or directory", "its words");

    fd = mkstemp(path);
    ok(fd >= 0, "a drive in a file");

    is_int(fcv_config_read(&conf, path, &err), -1, "empty");
    is_str(err.msg, "does not begin with FCVCONF1", "its words");

    data = drive(FCV_CONFIG_MAGIC, (uint32_t) strlen("{" MIN "}"),
                 "{" MIN "}", &len);
    ok(write(fd, data, len) == (ssize_t) len
       && write(fd, zeros, sizeof(zeros)) == (ssize_t) sizeof(zeros),
       "written");
    free(data);

    is_int(fcv_config_read(&conf, path, &err), 0, "zeros behind it");
    is_str(conf.function_id, "hello", "its function");
    fcv_config_free(&conf);

    close(fd);
    unlink(path);
}


int
main(void)
{
    test_full();
    test_fields();
    test_drive();
    test_read();

    return tap_done();
}
