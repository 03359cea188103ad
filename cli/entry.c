/* Is there something that the runtime can start?  What a guest would say only
 * after its boot is told before anything is sent. */

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/runtime.h"
#include "cli/source.h"

#define FCC_BOOTSTRAP  "bootstrap"
#define FCC_HEAD_MAX   4096
#define FCC_ENTRIES    1024

static const struct {
    int          machine;
    const char  *name;
} fcc_machines[] = {
    { EM_386, "Intel 80386, 32 bits" },
    { EM_ARM, "ARM, 32 bits" },
    { EM_AARCH64, "ARM aarch64" },
    { EM_RISCV, "RISC-V" },
    { EM_PPC64, "PowerPC 64" },
    { EM_S390, "IBM S/390" },
    { EM_MIPS, "MIPS" },
    { EM_X86_64, "x86-64" },
};


/* the program that the file wants is not there */
static int
fcc_wants(const fcc_source_t *source, const char *program, const char *what,
    fcf_err_t *err)
{
    int            rc, has;
    fcc_runtime_t  runtime;

    if (source->runtime_img == NULL) {
        return 0;                       /* not to be seen from here */
    }

    rc = fcc_runtime_read(&runtime, source->runtime_img, err);
    has = rc == 0 && fcc_runtime_has(&runtime, program);
    fcc_runtime_free(&runtime);

    return rc != 0 || has ? rc
           : fcf_err_set(err, FCF_E_REFUSED, FCC_BOOTSTRAP ": its %s, %s, is "
                         "not in the runtime \"%s\": link it statically, or "
                         "take another runtime (--runtime)", what, program,
                         source->runtime);
}


static const char *
fcc_machine(const Elf64_Ehdr *elf)
{
    size_t  i;

    if (elf->e_ident[EI_DATA] != ELFDATA2LSB) {
        return "big-endian";
    }

    for (i = 0; i < sizeof(fcc_machines) / sizeof(fcc_machines[0]); i++) {
        if (fcc_machines[i].machine == elf->e_machine) {
            return fcc_machines[i].name;
        }
    }

    return "of an unknown kind";
}


static int
fcc_elf_check(const fcc_source_t *source, int fd, const char *head, size_t len,
    fcf_err_t *err)
{
    int         i;
    char        loader[256];
    ssize_t     n;
    Elf64_Ehdr  elf;
    Elf64_Phdr  part;

    if (len < sizeof(elf)) {
        return fcf_err_set(err, FCF_E_REFUSED, FCC_BOOTSTRAP ": is cut off "
                           "in its ELF header");
    }

    memcpy(&elf, head, sizeof(elf));

    if (elf.e_ident[EI_CLASS] != ELFCLASS64 || elf.e_machine != EM_X86_64
        || elf.e_ident[EI_DATA] != ELFDATA2LSB)
    {
        return fcf_err_set(err, FCF_E_REFUSED, FCC_BOOTSTRAP ": is %s; guests "
                           "are x86-64: build it for that", fcc_machine(&elf));
    }

    if (elf.e_type != ET_EXEC && elf.e_type != ET_DYN) {
        return fcf_err_set(err, FCF_E_REFUSED, FCC_BOOTSTRAP ": is an ELF "
                           "file, but no program: link it");
    }

    for (i = 0; i < elf.e_phnum && i < 128; i++) {

        if (pread(fd, &part, sizeof(part), (off_t) elf.e_phoff
                  + (off_t) i * (off_t) sizeof(part)) != sizeof(part))
        {
            return fcf_err_set(err, FCF_E_REFUSED, FCC_BOOTSTRAP ": is cut "
                               "off in its ELF header");
        }

        if (part.p_type == PT_INTERP) {

            n = pread(fd, loader, sizeof(loader) - 1, (off_t) part.p_offset);
            loader[n > 0 ? n : 0] = '\0';

            return fcc_wants(source, loader, "loader", err);
        }
    }

    return 0;
}


/* "#!/usr/bin/env python3": what env is to find cannot be known here */
static int
fcc_script_check(const fcc_source_t *source, char *head, fcf_err_t *err)
{
    char    *line, *end;

    line = head + 2;
    end = line + strcspn(line, "\n");

    if (end > line && end[-1] == '\r') {
        return fcf_err_set(err, FCF_E_REFUSED, FCC_BOOTSTRAP ": its first line "
                           "ends in CR, as Windows writes it: "
                           "sed -i 's/\\r$//' bootstrap");
    }

    *end = '\0';
    line += strspn(line, " \t");
    line[strcspn(line, " \t")] = '\0';

    if (*line != '/') {
        return fcf_err_set(err, FCF_E_REFUSED, FCC_BOOTSTRAP ": its first line "
                           "names no absolute path: \"#!%s\"", line);
    }

    return strncmp(line, "/function/", 10) == 0 ? 0
           : fcc_wants(source, line, "interpreter", err);
}


static int
fcc_bootstrap_check(const fcc_source_t *source, const char *path,
    const struct stat *st, fcf_err_t *err)
{
    int      fd, rc;
    char     head[FCC_HEAD_MAX + 1];
    ssize_t  n;

    if (!S_ISREG(st->st_mode)) {
        return fcf_err_set(err, FCF_E_REFUSED, FCC_BOOTSTRAP ": is not a file");
    }

    if (!(st->st_mode & 0111)) {
        return fcf_err_set(err, FCF_E_REFUSED, FCC_BOOTSTRAP ": is not "
                           "executable: chmod +x bootstrap");
    }

    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? -1 : pread(fd, head, FCC_HEAD_MAX, 0);

    if (n < 0) {
        rc = fcf_err_sys(err, errno, FCC_BOOTSTRAP);

    } else {
        head[n] = '\0';

        if (n >= 4 && memcmp(head, ELFMAG, SELFMAG) == 0) {
            rc = fcc_elf_check(source, fd, head, (size_t) n, err);

        } else if (n >= 2 && memcmp(head, "#!", 2) == 0) {
            rc = fcc_script_check(source, head, err);

        } else {
            rc = fcf_err_set(err, FCF_E_REFUSED, FCC_BOOTSTRAP ": is neither "
                             "an ELF program nor a script: its first line "
                             "begins with no \"#!\"");
        }
    }

    if (fd >= 0) {
        (void) close(fd);
    }

    return rc;
}


/* the text of "<runtime>.entries", its names with ", " between; "": it has
 * none */
static void
fcc_entries(const fcc_conf_t *conf, const char *runtime, char *text,
    size_t size)
{
    char    *path;
    FILE    *file;
    size_t   n;

    *text = '\0';

    if (asprintf(&path, "%s/%s.entries", conf->runtimes, runtime) < 0) {
        return;
    }

    file = fopen(path, "re");
    free(path);

    if (file != NULL) {
        n = fread(text, 1, size - 1, file);
        text[n] = '\0';
        (void) fclose(file);
    }
}


static int
fcc_handler_check(const fcc_source_t *source, const fcc_conf_t *conf,
    fcf_err_t *err)
{
    int    found;
    char   text[FCC_ENTRIES], known[3 * FCC_ENTRIES], *name, *save, *path;

    fcc_entries(conf, source->runtime, text, sizeof(text));

    if (*text == '\0' && source->runtime_img == NULL) {
        return 0;                       /* not to be seen from here */
    }

    *known = '\0';
    found = 0;

    for (name = strtok_r(text, "\n", &save); name != NULL && !found;
         name = strtok_r(NULL, "\n", &save))
    {
        path = fcc_join(source->dir, name);
        found = path != NULL && access(path, F_OK) == 0;
        free(path);

        (void) strcat(strcat(known, *known != '\0' ? ", " : ", nor any of "),
                      name);
    }

    return found ? 0
           : fcf_err_set(err, FCF_E_REFUSED, "there is no bootstrap in it%s: "
                         "what is the runtime \"%s\" to start?%s", known,
                         source->runtime, *known != '\0' ? ""
                         : "  --runtime names another");
}


int
fcc_entry_check(const fcc_source_t *source, const fcc_conf_t *conf,
    fcf_err_t *err)
{
    int          rc;
    char        *path;
    struct stat  st;

    path = fcc_join(source->dir, FCC_BOOTSTRAP);

    if (path == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    rc = stat(path, &st) == 0
         ? fcc_bootstrap_check(source, path, &st, err)
         : errno == ENOENT ? fcc_handler_check(source, conf, err)
                           : fcf_err_sys(err, errno, FCC_BOOTSTRAP);
    free(path);

    return rc == 0 ? 0 : fcf_err_wrap(err, "%s", source->given);
}
