/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/image.h"

#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probe/base/mem.h"
#include "probe/base/str.h"

static const struct {
    uint16_t elf;
    uint8_t data; /* byte order; 0 = either */
    const char *machine, *machines;
} machines[] = {
    {EM_X86_64, ELFDATA2LSB, "x86_64", "x86_64|amd64"},
    {EM_AARCH64, ELFDATA2LSB, "aarch64", "aarch64|arm64"},
    {EM_386, ELFDATA2LSB, "i686", "i?86|x86_64|amd64"},
    {EM_ARM, ELFDATA2LSB, "arm", "arm*"},
    {EM_RISCV, ELFDATA2LSB, "riscv64", "riscv64"},
    {EM_PPC64, ELFDATA2LSB, "ppc64le", "ppc64le"},
    {EM_PPC64, ELFDATA2MSB, "ppc64", "ppc64"},
    {EM_S390, ELFDATA2MSB, "s390x", "s390x"},
};

static enum sp_rc find_machine(struct sp_image *image, const char *path, struct sp_diag *diag)
{
    const uint8_t *e = image->bytes;
    /* e_machine stands at byte 18 of either class of file (System V ABI, chapter 4). */
    if (image->len < 64 || memcmp(e, ELFMAG, SELFMAG) != 0) {
        return sp_fail(diag, SP_E_INVALID, path,
                       "%s is not a program of Linux (ELF): it cannot be carried to a host", path);
    }
    bool little = e[EI_DATA] == ELFDATA2LSB;
    uint16_t elf = (uint16_t)(little ? e[18] | e[19] << 8 : e[18] << 8 | e[19]);
    for (size_t i = 0; i < SP_ARRAY_LEN(machines); i++) {
        if (machines[i].elf == elf && machines[i].data == e[EI_DATA]) {
            image->machine = machines[i].machine;
            image->machines = machines[i].machines;
            return SP_OK;
        }
    }
    return sp_fail(diag, SP_E_INVALID, path,
                   "%s is a program for a kind of machine that this segproof does not know (ELF "
                   "machine %u)",
                   path, (unsigned)elf);
}

/* POSIX cksum: CRC-32, polynomial 0x04c11db7, most significant bit first, over the bytes and then
 * the length with its lowest byte first, inverted. */
static uint32_t crc_byte(uint32_t crc, uint8_t byte)
{
    crc ^= (uint32_t)byte << 24;
    for (int bit = 0; bit < 8; bit++) {
        crc = (crc & 0x80000000U) != 0 ? crc << 1 ^ 0x04c11db7U : crc << 1;
    }
    return crc;
}

static uint32_t cksum(const uint8_t *bytes, size_t len)
{
    uint32_t crc = 0;
    for (size_t i = 0; i < len; i++) {
        crc = crc_byte(crc, bytes[i]);
    }
    for (size_t rest = len; rest > 0; rest >>= 8) {
        crc = crc_byte(crc, (uint8_t)(rest & 0xff));
    }
    return ~crc;
}

static enum sp_rc read_all(int fd, struct sp_image *image, const char *path, struct sp_diag *diag)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return sp_fail_errno(diag, path, "cannot look at %s", path);
    }
    if (!S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > (off_t)SP_IMAGE_MAX_BYTES) {
        return sp_fail(diag, SP_E_INVALID, path, "%s is not a program of at most %u MiB", path,
                       SP_IMAGE_MAX_BYTES >> 20);
    }
    image->bytes = sp_calloc((size_t)st.st_size, 1);
    if (!image->bytes) {
        return sp_fail(diag, SP_E_NOMEM, path, "out of memory");
    }
    while (image->len < (size_t)st.st_size) {
        ssize_t n = read(fd, image->bytes + image->len, (size_t)st.st_size - image->len);
        if (n == 0) {
            return sp_fail(diag, SP_E_INVALID, path, "%s was cut while it was read", path);
        }
        if (n < 0 && errno != EINTR) {
            return sp_fail_errno(diag, path, "cannot read %s", path);
        }
        image->len += n > 0 ? (size_t)n : 0;
    }
    return SP_OK;
}

enum sp_rc sp_image_sum(struct sp_image *image)
{
    unsigned char md[32];
    unsigned int n = 0;
    if (EVP_Digest(image->bytes, image->len, md, &n, EVP_sha256(), NULL) != 1 || n != sizeof(md)) {
        return SP_E_NOMEM;
    }
    sp_hex(md, sizeof(md), image->sha256);
    image->cksum = cksum(image->bytes, image->len);
    return SP_OK;
}

enum sp_rc sp_image_read(const char *path, struct sp_image **ret_image, struct sp_diag *diag)
{
    struct sp_image *image = sp_calloc(1, sizeof(*image));
    if (!image) {
        return sp_fail(diag, SP_E_NOMEM, path, "out of memory");
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum sp_rc rc = fd < 0 ? sp_fail_errno(diag, path, "cannot read %s", path)
                           : read_all(fd, image, path, diag);
    if (fd >= 0) {
        (void)close(fd);
    }
    if (rc == SP_OK) {
        rc = find_machine(image, path, diag);
    }
    if (rc == SP_OK && sp_image_sum(image) != SP_OK) {
        rc = sp_fail(diag, SP_E_NOMEM, path, "out of memory");
    }
    if (rc != SP_OK) {
        sp_image_free(image);
        return rc;
    }
    *ret_image = image;
    return SP_OK;
}

void sp_image_free(struct sp_image *image)
{
    if (image) {
        sp_free(image->bytes);
        sp_free(image);
    }
}
