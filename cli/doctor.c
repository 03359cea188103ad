/* fcfaas doctor: what is wrong, and what to do. */

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/doctor.h"
#include "contract/fcf_text.h"

/* what an answer may take on its way, and clocks may differ by */
#define FCC_CLOCK_S   5

#define FCC_SAYS_MAX  1024

static const char *const  fcc_findings[FCC_FINDINGS] = {
    "ok", "note", "WRONG"
};


/* others wrote it: what is no UTF-8 is no string of JSON */
static json_t *
fcc_find_text(const char *raw)
{
    char  text[FCC_SAYS_MAX];

    (void) fcf_text_clean(text, sizeof(text), raw, strlen(raw), 0);

    return json_string(text);
}


void
fcc_find(fcc_doctor_t *doctor, fcc_finding_e how, const char *part,
    const char *name, const char *remedy, const char *fmt, ...)
{
    char     says[FCC_SAYS_MAX];
    va_list  args;

    va_start(args, fmt);
    (void) vsnprintf(says, sizeof(says), fmt, args);
    va_end(args);

    doctor->n[how]++;

    if (doctor->json != NULL) {
        (void) json_array_append_new(doctor->json, json_pack(
            "{s:s, s:s, s:o, s:o, s:o}",
            "finding", how == FCC_WRONG ? "wrong" : fcc_findings[how],
            "part", part, "name", fcc_find_text(name),
            "says", fcc_find_text(says),
            "remedy", fcc_find_text(remedy != NULL ? remedy : "")));
        return;
    }

    fcc_table_add(&doctor->table, "%s", fcc_findings[how]);
    fcc_table_add(&doctor->table, "%s", part);
    fcc_table_add(&doctor->table, "%s", name);
    fcc_table_add(&doctor->table, "%s%s%s", says,
                  remedy != NULL ? ": " : "", remedy != NULL ? remedy : "");
}


void
fcc_find_clock(fcc_doctor_t *doctor, const char *part, const char *name,
    int64_t date_s)
{
    long long  ahead;

    ahead = date_s - (long long) time(NULL);

    if (date_s == 0 || llabs(ahead) <= FCC_CLOCK_S) {
        return;
    }

    fcc_find(doctor, FCC_WRONG, part, name,
             "have both keep the time (chrony, or systemd-timesyncd)",
             "its clock is %lld s %s of this machine's", llabs(ahead),
             ahead > 0 ? "ahead" : "behind");
}


static void
fcc_doctor_settings(fcc_doctor_t *doctor)
{
    const fcc_conf_t  *conf;

    conf = &doctor->fcc->conf;

    fcc_find(doctor, FCC_WELL, "fcfaas", FCF_VERSION, NULL,
             "settings of %s%s%s%s",
             conf->conf != NULL ? conf->conf : "no file: flags, environment, "
             "and what holds without any",
             *conf->prefix != '\0' ? ", prefix \"" : "", conf->prefix,
             *conf->prefix != '\0' ? "\"" : "");
}


static int
fcc_doctor_print(fcc_doctor_t *doctor, fcf_err_t *err)
{
    int  rc;

    rc = doctor->json != NULL ? fcc_json_print(doctor->json, err)
                              : fcc_table_print(&doctor->table, err);

    if (rc != FCC_DONE) {
        return rc;
    }

    if (doctor->n[FCC_WRONG] != 0) {
        fcc_say("%u thing%s wrong",
                doctor->n[FCC_WRONG],
                doctor->n[FCC_WRONG] == 1 ? " is" : "s are");
        return FCC_NO;
    }

    fcc_say("nothing is wrong");

    return FCC_DONE;
}


static int
fcc_doctor(fcc_t *fcc, fcf_err_t *err)
{
    fcc_doctor_t              doctor;
    static const char *const  heads[] = { "", "PART", "NAME", "SAYS", NULL };

    memset(&doctor, 0, sizeof(doctor));
    doctor.fcc = fcc;

    if (fcc->json) {
        doctor.json = json_array();

        if (doctor.json == NULL) {
            return fcf_err_set(err, FCF_E_NOMEM, "no memory");
        }
    }

    fcc_table_init(&doctor.table, heads);

    fcc_doctor_settings(&doctor);

    if (fcc_doctor_etcd(&doctor) == 0) {
        fcc_doctor_nodes(&doctor);
        fcc_doctor_functions(&doctor);
        fcc_doctor_runtimes(&doctor);
    }

    fcc_doctor_redis(&doctor);
    fcc_doctor_gateway(&doctor);

    return fcc_doctor_print(&doctor, err);
}


const fcc_verb_t  fcc_verb_doctor = {
    "doctor", "", "looks for what is wrong, and says what to do", 0, 0, NULL,
    "etcd, Redis, the gateway, the nodes with their agents, the functions,\n"
    "their images and runtimes, clocks and versions.  It ends with 1 if something is wrong.\n"
    "Nothing is changed.\n", fcc_doctor
};
