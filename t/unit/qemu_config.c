/* A QEMU command line as a configuration file, which it reads when it has
 * waited for its machine. */

#include <stdlib.h>

#include "t/unit/tap.h"
#include "vm/vmm/qemu_config.h"

/* the line is not written to */
#define ARGS(...)  args_of((const char *[]) { "qemu", __VA_ARGS__, NULL })


static fcv_args_t
args_of(const char **words)
{
    fcv_args_t  args;

    for (args.argc = 0; words[args.argc]; args.argc++) {
        memcpy(&args.argv[args.argc], &words[args.argc], sizeof(char *));
    }

    return args;
}


static void
says(fcv_args_t args, const char *want, const char *what)
{
    char        *text;
    fcv_args_t   given;

    given = ARGS("-S", "-name", "vm1");
    text = fcv_qemu_config(&args, &given);

    if (want) {
        is_str(text, want, "%s", what);
    } else {
        ok(text == NULL, "%s", what);
    }

    free(text);
}


int
main(void)
{
    char  big[2000];

    says(ARGS("-S", "-name", "vm1", "-m", "128"),
         "[memory]\nsize = \"128M\"\n", "what is given is not said again");
    says(ARGS("-name", "vm2"), NULL, "another name cannot be said");
    says(ARGS("-daemonize"), NULL, "nor an option that is not known");
    says(ARGS("-M", "microvm,pit=on,acpi=off"),
         "[machine]\ntype = \"microvm\"\npit = \"on\"\nacpi = \"off\"\n",
         "the machine");
    says(ARGS("-netdev", "tap,id=nic0,fd=7", "-device",
              "virtio-net-device,netdev=nic0,mac=06:00:ac:10:00:02"),
         "[netdev \"nic0\"]\ntype = \"tap\"\nfd = \"7\"\n"
         "[device]\ndriver = \"virtio-net-device\"\nnetdev = \"nic0\"\n"
         "mac = \"06:00:ac:10:00:02\"\n", "an interface");
    says(ARGS("-blockdev", "{\"driver\":\"raw\",\"read-only\":true,\"file\":"
              "{\"driver\":\"file\",\"filename\":\"/a, b\"},"
              "\"node-name\":\"drive0\"}"),
         "[drive \"drive0\"]\nif = \"none\"\ndriver = \"raw\"\n"
         "read-only = \"on\"\nfile.driver = \"file\"\n"
         "file.filename = \"/a, b\"\n", "a drive, its path with a comma");
    says(ARGS("-object", "{\"qom-type\":\"throttle-group\",\"id\":\"limit0\","
              "\"limits\":{\"bps-total\":536870912,\"iops-total\":0}}"),
         "[object \"limit0\"]\nqom-type = \"throttle-group\"\n"
         "x-bps-total = \"536870912\"\nx-iops-total = \"0\"\n", "a limiter");
    says(ARGS("-object", "rng-random,id=rng,filename=/dev/urandom"),
         "[object \"rng\"]\nqom-type = \"rng-random\"\n"
         "filename = \"/dev/urandom\"\n", "entropy");

    says(ARGS("-blockdev", "{\"node-name\":\"d\",\"file\":\"a\\\"b\"}"), NULL,
         "a path with a quote cannot be said");
    says(ARGS("-blockdev", "{\"node-name\":\"d\",\"file\":\"a\\nb\"}"), NULL,
         "nor one of two lines");
    says(ARGS("-blockdev", "{\"file\":\"a\"}"), NULL, "nor one without a name");
    says(ARGS("-blockdev", "{"), NULL, "nor what is no JSON");
    says(ARGS("-device", "a,b=c,,d"), NULL, "nor a comma in a list");
    says(ARGS("-device", "a,b"), NULL, "nor a member without a value");

    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    says(ARGS("-device", big), NULL, "nor what is longer than QEMU reads");

    return tap_done();
}
