/* SPDX-License-Identifier: Apache-2.0
 *
 * A carried program removes its own file and folder, and nothing else can be made to go. */
#include "probe/remove_self.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/sp_cmocka.h"

static char root[] = "/tmp/sp-remove-XXXXXX";
static char folder[64], file[96], other[96], link_to[64];

static void touch(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
}

/* As /proc/self/exe does, the link leads to the file as it is at this moment. */
static void carry(const char *name)
{
    (void)snprintf(folder, sizeof(folder), "%s/%s", root, name);
    (void)snprintf(file, sizeof(file), "%s/probe", folder);
    (void)snprintf(other, sizeof(other), "%s/other", folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    touch(file);
    (void)unlink(link_to);
    assert_int_equal(symlink(file, link_to), 0);
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(root)) {
        return -1;
    }
    (void)snprintf(link_to, sizeof(link_to), "%s/exe", root);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(link_to);
    return rmdir(root);
}

static void file_and_folder(void **state)
{
    (void)state;
    struct sp_diag diag;
    carry("segproof.Xy12");
    assert_int_equal(sp_remove_self(link_to, &diag), SP_OK);
    assert_int_equal(access(folder, F_OK), -1);
}

static void what_else_lies_there_stays(void **state)
{
    (void)state;
    struct sp_diag diag;
    carry("segproof.full");
    touch(other);
    assert_int_equal(sp_remove_self(link_to, &diag), SP_OK);
    assert_int_equal(access(file, F_OK), -1);
    assert_int_equal(unlink(other), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void another_folder_is_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"bin", "segproof", "xsegproof.a", ".segproof."};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct sp_diag diag = {0};
        carry(names[i]);
        assert_int_equal(sp_remove_self(link_to, &diag), SP_E_DENIED);
        assert_non_null(strstr(diag.text, "folder of its own"));
        assert_int_equal(unlink(file), 0);
        assert_int_equal(rmdir(folder), 0);
    }
    struct sp_diag diag = {0};
    (void)unlink(link_to);
    assert_int_equal(symlink("/probe", link_to), 0);
    assert_int_not_equal(sp_remove_self(link_to, &diag), SP_OK);
    assert_int_equal(sp_remove_self("/proc/self/exe", &diag), SP_E_DENIED); /* this test's own */
    (void)unlink(link_to);
    assert_int_not_equal(sp_remove_self(link_to, &diag), SP_OK);
}

/* A link in place of its folder, or of its file, is not followed. */
static void links_are_not_followed(void **state)
{
    (void)state;
    struct sp_diag diag = {0};
    char aside[64];
    carry("segproof.a");
    (void)snprintf(aside, sizeof(aside), "%s/aside", root);
    assert_int_equal(rename(folder, aside), 0);
    assert_int_equal(symlink(aside, folder), 0);
    assert_int_not_equal(sp_remove_self(link_to, &diag), SP_OK);
    assert_int_equal(unlink(folder), 0);
    assert_int_equal(rename(aside, folder), 0);
    assert_int_equal(access(file, F_OK), 0);
    assert_int_equal(rename(file, other), 0);
    assert_int_equal(symlink(other, file), 0);
    assert_int_equal(sp_remove_self(link_to, &diag), SP_E_DENIED);
    assert_non_null(strstr(diag.text, "another file by now"));
    assert_int_equal(unlink(file), 0);
    assert_int_equal(unlink(other), 0);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file_and_folder),
        cmocka_unit_test(what_else_lies_there_stays),
        cmocka_unit_test(another_folder_is_refused),
        cmocka_unit_test(links_are_not_followed),
    };
    return cmocka_run_group_tests_name("remove_self", tests, set_up, tear_down);
}
