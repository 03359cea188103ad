/*
 * What the agent and the inside of a VM agree on: drives, config drive and
 * control port.  Used by agent/ (writes the config drive, speaks to the
 * control port), vm/init (the other end) and vm/vmm's instant backend (which
 * plays a whole guest).
 *
 * Drives, in this order: vda the runtime (read-only, shared), vdb the
 * function (read-only), vdc the config drive.  A function made of a container
 * image has its own root file system as vda, and the config drive is vdb; what
 * it runs stands in its file FCF_IMAGE_FILE (contract/), made by fcfaas deploy:
 *   { "argv": ["nginx", "-g", "daemon off;"], "file": "/usr/sbin/nginx",
 *     "env": ["NAME=value"], "cwd": "/", "uid": 0, "gid": 0 }
 *
 * Config drive: raw; FCV_CONFIG_MAGIC, a 32-bit big-endian length, that many
 * bytes of JSON, zeros up to a multiple of 512:
 *   { "function_id", "version", "instance_id", "port": 80,
 *     "address": "172.16.0.2", "prefix_len": 24, "gateway": "172.16.0.1",
 *     "mac": "06:00:ac:10:00:02", "mtu": 1500, "hostname",
 *     "time_ms": Unix time,
 *     "memory_mb": what the VM has, "dns": ["10.0.0.53"], at most 3,
 *     "seed": base64 of bytes for the random pool,
 *     "env": { "NAME": "value" }, "secrets": { "NAME": "value" } }
 *
 * Control port: TCP, host to guest, on the guest's eth0 address, only from
 * the gateway's address.  Frames in both directions: a 32-bit big-endian
 * length (at most FCV_FRAME_MAX) and a JSON object.  Host to guest:
 *   {"op":"stop","timeout_ms":5000}    SIGTERM to the function, SIGKILL after
 *                                      timeout_ms, then the machine ends
 *   {"op":"logs"}                      stream the function's output from the
 *                                      oldest kept byte on; asked once the
 *                                      function's port was reached, which init
 *                                      then looks at no more
 *   {"op":"time","ms":…}               set the clock
 *   {"op":"seed","data":"<base64>"}    mix into the random pool
 *   {"op":"snapshot"}                  the guest is about to be paused, and a
 *                                      snapshot taken of it: its function is
 *                                      asked by POST FCV_HOOK_SNAPSHOT
 *   {"op":"wake","ms":…,"data":"<base64>","address":"172.16.0.7",
 *    "mac":"06:…","hostname":"…"}      this is a clone: clock, random pool and
 *                                      name are set, the function is told by
 *                                      POST FCV_HOOK_RESTORE, and once the
 *                                      host has the answer the address and the
 *                                      MAC are taken, the control port too
 * Guest to host, in answer: {"ok":true} or {"ok":false,"error":"…"}, with
 * "again":true if the function's port takes no connection yet, so that the
 * same may be asked later; for
 * snapshot and wake with "reseeds":true if the function said, by a header
 * FCV_HOOK_RESEEDS, that what it has seeded in user space is seeded anew in a
 * clone; for snapshot with "young":true if the kernel may yet do what it has
 * put off at its boot, which each clone would do instead; after
 * logs, as output comes:
 *   {"stream":"stdout"|"stderr","data":"<base64>","dropped":n}
 *   dropped: bytes lost since the frame before, because nobody read.
 * Unknown ops are answered with ok:false; unknown fields are ignored.
 */

#ifndef _FCV_GUEST_H_INCLUDED_
#define _FCV_GUEST_H_INCLUDED_

#define FCV_IMAGE_FILE_MAX    (1024 * 1024)     /* bytes */
#define FCV_CONFIG_MAGIC      "FCVCONF1"        /* 8 bytes, no NUL */
#define FCV_CONFIG_MAX        (1024 * 1024)     /* JSON bytes */
#define FCV_CONTROL_PORT      1024
#define FCV_FRAME_MAX         65536
/* what a runtime puts before a line that a request printed: BEGIN, the
 * request's id, END */
#define FCV_MARK_BEGIN        '\x1e'
#define FCV_MARK_END          '\x1f'
#define FCV_OUTPUT_KEEP       262144            /* bytes kept in the guest */
#define FCV_DNS_MAX           3
#define FCV_SEED_MAX          4096
#define FCV_SEED_TEXT         ((FCV_SEED_MAX + 2) / 3 * 4)  /* in base64 */
#define FCV_STOP_TIMEOUT_MS   5000
#define FCV_HOSTNAME_MAX      64

/* How a line of init's on the console begins that an agent's log is to have,
 * too: what the function has used up. */
#define FCV_WARNING           "fcfaas: warning: "

/* Hooks of a function around a snapshot, asked for from inside the guest, on
 * its own port.  One that knows no such path answers what it likes below 500,
 * or 501; another status, or no answer in time, and there is no snapshot, or
 * the clone is not used.  To whom POST itself is unknown (501, RFC 9110,
 * 15.6.2) the second hook is not sent. */
#define FCV_HOOK_SNAPSHOT     "/.fcfaas/snapshot"
#define FCV_HOOK_RESTORE      "/.fcfaas/restore"
#define FCV_HOOK_RESEEDS      "X-Fcfaas-Reseeds"
#define FCV_HOOK_MS           10000

/* Guest addresses come with a MAC of their own: 06:00 and the IPv4 address. */
#define FCV_MAC_FMT           "06:00:%02x:%02x:%02x:%02x"

/* A trial boot, asked for on the kernel's command line: ALONE, with neither
 * drives nor network, or WHOLE.  The guest says WORD on its console when it
 * has come that far, and after a whole one lives on for a few seconds, so that
 * the host can see whether it is reached. */
#define FCV_TRIAL_ALONE       "fcfaas.trial=1"
#define FCV_TRIAL_WHOLE       "fcfaas.trial=2"
#define FCV_TRIAL_WORD        "fcfaas-trial-ok"

/*
 * A function image that begins with this line is for the instant backend: the
 * lines that follow ("name=value", up to an empty line, NUL or 4096 bytes)
 * set its behaviour.  Images of real functions never begin so.
 *   boot_ms=N        before the port accepts (0)
 *   answer_ms=N      before each answer (0)
 *   body=TEXT        the answer's body (default: method, path, headers and
 *                    body of the request, as the echo function does)
 *   body_bytes=N     the body's length, up to 64 MiB: body again and again
 *   status=N         the answer's status (200)
 *   fail=STEP        that call is refused: start, pause, save or load (of a
 *                    snapshot)
 *   fail=panic       prints a kernel panic on the console and exits
 *   fail=silent      boots, but the port never accepts
 *   fail=hang        accepts, never answers
 *   fail=cut         cuts the connection after half an answer
 *   hang=STEP        that call is never answered: start, pause, save or load
 *   exit=STEP        the VMM ends there with status 1: at one of these calls,
 *                    at boot (before the port accepts), or at answer
 *   exit_after=N     exits after N requests were answered
 *   ignore_stop=1    does not react to op stop
 *   logs=HEX         what op logs is answered with, frames or not
 *   take_mb=N        takes so much memory once it is up
 *   clone=none       refuses op snapshot
 *   clone=deaf       of a snapshot: its control port says nothing
 *   clone=refuses    of a snapshot: answers op wake with an error
 *   clone=ends       of a snapshot: ends when it is to wake
 *   clone=lost       of a snapshot: says that it wakes, and is not heard of
 *                    any more
 *   forgets=1        says that it does not seed user space anew
 *   young=1          says that its kernel is young
 */
#define FCV_INSTANT_MAGIC     "fcfaas-instant\n"

#endif /* _FCV_GUEST_H_INCLUDED_ */
