/* SPDX-License-Identifier: Apache-2.0
 *
 * The probe's file: what is refused, which machine it is for, and its two checksums. */
#include "controller/image.h"

#include <elf.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe/base/mem.h"
#include "tests/support/sp_cmocka.h"

static char path[] = "/tmp/sp-image-XXXXXX";

static void put(const void *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    (void)close(fd);
}

static int set_up(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

/* The values are those of sha256sum(1) and cksum(1). */
static void sums(void **state)
{
    (void)state;
    static const struct {
        const char *text, *sha256;
        uint32_t cksum;
    } rows[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", 4294967295U},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", 1219131554U},
        {"123456789", "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
         930766865U},
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++) {
        struct sp_image image = {.bytes = (uint8_t *)(uintptr_t)rows[i].text,
                                 .len = strlen(rows[i].text)};
        assert_int_equal(sp_image_sum(&image), SP_OK);
        assert_string_equal(image.sha256, rows[i].sha256);
        assert_int_equal(image.cksum, rows[i].cksum);
    }
}

static void machines(void **state)
{
    (void)state;
    static const struct {
        uint8_t data;
        uint16_t machine;
        const char *name, *pattern;
    } rows[] = {{ELFDATA2LSB, EM_X86_64, "x86_64", "x86_64|amd64"},
                {ELFDATA2LSB, EM_AARCH64, "aarch64", "aarch64|arm64"},
                {ELFDATA2LSB, EM_PPC64, "ppc64le", "ppc64le"},
                {ELFDATA2MSB, EM_PPC64, "ppc64", "ppc64"},
                {ELFDATA2MSB, EM_S390, "s390x", "s390x"},
                {ELFDATA2MSB, EM_X86_64, NULL, NULL},
                {ELFDATA2LSB, EM_VAX, NULL, NULL}};
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++) {
        uint8_t elf[80] = {0x7f, 'E', 'L', 'F', 2};
        struct sp_image *image = NULL;
        struct sp_diag diag = {0};
        elf[EI_DATA] = rows[i].data;
        bool little = rows[i].data == ELFDATA2LSB;
        elf[18] = (uint8_t)(little ? rows[i].machine & 0xff : rows[i].machine >> 8);
        elf[19] = (uint8_t)(little ? rows[i].machine >> 8 : rows[i].machine & 0xff);
        put(elf, sizeof(elf));
        enum sp_rc rc = sp_image_read(path, &image, &diag);
        if (!rows[i].name) {
            assert_int_equal(rc, SP_E_INVALID);
            assert_non_null(strstr(diag.text, "kind of machine"));
            continue;
        }
        assert_int_equal(rc, SP_OK);
        assert_string_equal(image->machine, rows[i].name);
        assert_string_equal(image->machines, rows[i].pattern);
        assert_int_equal(image->len, sizeof(elf));
        sp_image_free(image);
    }
}

static void refused(void **state)
{
    (void)state;
    struct sp_image *image = NULL;
    struct sp_diag diag = {0};
    put("#!/bin/sh\n", 10);
    assert_int_equal(sp_image_read(path, &image, &diag), SP_E_INVALID);
    assert_non_null(strstr(diag.text, "not a program of Linux"));
    put("", 0);
    assert_int_equal(sp_image_read(path, &image, &diag), SP_E_INVALID);
    assert_int_equal(sp_image_read("/dev/zero", &image, &diag), SP_E_INVALID);
    assert_int_equal(sp_image_read("/nonexistent/x", &image, &diag), SP_E_SYSTEM);
    assert_null(image);
    sp_image_free(NULL);
}

static void out_of_memory(void **state)
{
    (void)state;
    uint8_t elf[80] = {0x7f, 'E', 'L', 'F', 2, ELFDATA2LSB};
    elf[18] = EM_X86_64;
    put(elf, sizeof(elf));
    for (size_t n = 1;; n++) {
        struct sp_image *image = NULL;
        (void)sp_mem_fail_at(n, 1);
        enum sp_rc rc = sp_image_read(path, &image, NULL);
        (void)sp_mem_fail_at(0, 0);
        if (rc == SP_OK) {
            sp_image_free(image);
            assert_true(n > 1);
            break;
        }
        assert_int_equal(rc, SP_E_NOMEM);
        assert_null(image);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums),
        cmocka_unit_test(machines),
        cmocka_unit_test(refused),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests_name("image", tests, set_up, tear_down);
}
