/* What the kernel's image tells before QEMU gets it. */

#include <elf.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vm/vmm/qemu_args.h"
#include "vm/vmm/schema.h"

#define FCV_BZIMAGE_MAGIC  0x202        /* where "HdrS" stands */


/* Firecracker loads each part of an ELF where it wants to be: there must be
 * memory there.  Silence about what is no ELF64 of x86: QEMU has words. */
static int
check_fits(const fcv_model_t *model, fcf_err_t *err)
{
    unsigned    i;
    uint64_t    end, memory;
    Elf64_Ehdr  head;
    Elf64_Phdr  part;

    memory = (uint64_t) fcv_int(model->machine, "mem_size_mib") << 20;

    if (pread(model->kernel_fd, &head, sizeof(head), 0) != sizeof(head)
        || head.e_ident[EI_CLASS] != ELFCLASS64
        || head.e_phentsize != sizeof(part))
    {
        return 0;
    }

    for (i = 0; i < head.e_phnum; i++) {

        if (pread(model->kernel_fd, &part, sizeof(part),
                  (off_t) (head.e_phoff + i * sizeof(part)))
            != sizeof(part))
        {
            return 0;
        }

        end = part.p_paddr + part.p_memsz;

        if (part.p_type == PT_LOAD && (end < part.p_paddr || end > memory)) {
            return fcf_err_set(err, FCF_E_INVALID,
                               "Kernel Loader: kernel %s does not fit into "
                               "%lld MiB of memory",
                               fcv_str(model->boot, "kernel_image_path"),
                               fcv_int(model->machine, "mem_size_mib"));
        }
    }

    return 0;
}


int
fcv_qemu_check_kernel(const fcv_model_t *model, fcf_err_t *err)
{
    char     head[FCV_BZIMAGE_MAGIC + 4];
    ssize_t  n;

    n = pread(model->kernel_fd, head, sizeof(head), 0);

    if (n >= 4 && memcmp(head, "\177ELF", 4) == 0) {
        return check_fits(model, err);
    }

    if (n == sizeof(head)
        && memcmp(head + FCV_BZIMAGE_MAGIC, "HdrS", 4) == 0)
    {
        return 0;
    }

    return fcf_err_set(err, FCF_E_INVALID,
                       "kernel %s: neither ELF nor bzImage",
                       fcv_str(model->boot, "kernel_image_path"));
}


static int
has_text(const char *image, size_t len, const char *text)
{
    return memmem(image, len, text, strlen(text)) != NULL;
}


/* Names of parameters and what is printed stand in it as they are. */
int
fcv_qemu_kernel_is_plain(const fcv_model_t *model)
{
    int          rc;
    void        *image;
    size_t       len;
    struct stat  st;

    if (fstat(model->kernel_fd, &st) != 0 || st.st_size <= 0) {
        return 0;
    }

    len = (size_t) st.st_size;
    image = mmap(NULL, len, PROT_READ, MAP_PRIVATE, model->kernel_fd, 0);

    if (image == MAP_FAILED) {
        return 0;
    }

    rc = has_text(image, len, "virtio_mmio.device")
         && has_text(image, len, "Intel MultiProcessor Specification");

    (void) munmap(image, len);

    return rc;
}
