/* SPDX-License-Identifier: Apache-2.0
 *
 * Privileges that were dropped stay dropped: a child drops them and then tries everything to get
 * them back. Skipped where there is none to drop. */
#include "probe/drop.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/sp_cmocka.h"

#define WAS_PROGRAM "--what-am-i"

static bool has_capability(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}, {0}};
    return syscall(SYS_capget, &head, data) != 0 || data[0].effective || data[0].permitted ||
           data[0].inheritable || data[1].effective || data[1].permitted;
}

/* 0: no privilege of any kind; else which. */
static int privilege(void)
{
    static const int kinds[][3] = {{AF_INET, SOCK_RAW, 6},
                                   {AF_INET6, SOCK_RAW, 17},
                                   {AF_INET, SOCK_RAW, 255},
                                   {AF_PACKET, SOCK_RAW, 0},
                                   {AF_PACKET, SOCK_DGRAM, 0}};
    for (int i = 0; i < 5; i++) {
        if (socket(kinds[i][0], kinds[i][1], kinds[i][2]) >= 0) {
            return 10 + i;
        }
    }
    if (has_capability()) {
        return 2;
    }
    if (geteuid() == 0 || getuid() == 0 || getegid() == 0 || getgid() == 0) {
        return 3;
    }
    if (setuid(0) == 0 || setresuid(0, 0, 0) == 0 || setgid(0) == 0 || setgroups(0, NULL) == 0) {
        return 4;
    }
    for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
        if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1 ||
            prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) == 0) {
            return 5;
        }
    }
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) {
        return 6;
    }
    return 0;
}

static int in_child(int (*fn)(void *arg), void *arg)
{
    int status = 0;
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(fn(arg));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int drop_and_try(void *arg)
{
    struct sp_diag diag = {0};
    static const gid_t groups[] = {0, 4, 42};
    (void)arg;
    if (setgroups(3, groups) != 0 || sp_drop_all(&diag) != SP_OK) {
        return 50;
    }
    if (getgroups(0, NULL) != 0) {
        return 49;
    }
    int left = privilege();
    if (left) {
        return left;
    }
    return sp_drop_prove(&diag) == SP_OK ? 0 : 51;
}

static void dropped_is_dropped(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    assert_int_equal(in_child(drop_and_try, NULL), 0);
}

static int drop_twice(void *arg)
{
    struct sp_diag diag = {0};
    (void)arg;
    return sp_drop_all(&diag) == SP_OK && sp_drop_all(&diag) == SP_OK ? 0 : 1;
}

static void dropping_again_is_fine(void **state)
{
    (void)state;
    assert_int_equal(in_child(drop_twice, NULL), 0);
}

static int drop_and_exec(void *arg)
{
    struct sp_diag diag = {0};
    int fd = *(int *)arg;
    char name[] = "self";
    char word[] = WAS_PROGRAM;
    char leaks[] = "ASAN_OPTIONS=detect_leaks=0"; /* needs ptrace, which is gone */
    char *argv[] = {name, word, NULL};
    char *envp[] = {leaks, NULL};
    if (sp_drop_all(&diag) != SP_OK) {
        return 50;
    }
    (void)fexecve(fd, argv, envp);
    return 60;
}

/* Neither the program itself nor a copy that belongs to root and is set-user-ID gives any back. */
static void exec_gives_nothing_back(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_true(self >= 0);
    assert_int_equal(in_child(drop_and_exec, &self), 0);
    char path[] = "/tmp/sp-drop-XXXXXX";
    int copy = mkstemp(path);
    char bytes[65536];
    ssize_t n;
    assert_true(copy >= 0);
    while ((n = read(self, bytes, sizeof(bytes))) > 0) {
        assert_int_equal(write(copy, bytes, (size_t)n), n);
    }
    assert_int_equal(fchmod(copy, 06755), 0);
    (void)close(copy);
    copy = open(path, O_RDONLY | O_CLOEXEC);
    int code = in_child(drop_and_exec, &copy);
    (void)unlink(path);
    (void)close(copy);
    (void)close(self);
    assert_int_equal(code, 0);
}

static int prove(void *arg)
{
    struct sp_diag diag = {0};
    enum sp_rc rc = sp_drop_prove(&diag);
    (void)arg;
    if (rc != SP_OK && diag.text[0] == '\0') {
        return 9;
    }
    return rc == SP_E_DENIED ? 1 : rc == SP_OK ? 0 : 8;
}

static void proof_fails_with_privileges(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    assert_int_equal(in_child(prove, NULL), 1);
}

static int only_uid(void *arg) /* nobody, without capabilities, but an exec could give them back */
{
    if (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0) {
        return 7;
    }
    return prove(arg);
}

static int only_caps(void *arg) /* root without capabilities: setuid programs, files of root */
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}, {0}};
    if (syscall(SYS_capset, &head, data) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return 7;
    }
    return prove(arg);
}

static void proof_fails_on_half_a_drop(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    assert_int_equal(in_child(only_uid, NULL), 1);
    assert_int_equal(in_child(only_caps, NULL), 1);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], WAS_PROGRAM) == 0) {
        _exit(privilege());
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dropped_is_dropped),         cmocka_unit_test(dropping_again_is_fine),
        cmocka_unit_test(exec_gives_nothing_back),    cmocka_unit_test(proof_fails_with_privileges),
        cmocka_unit_test(proof_fails_on_half_a_drop),
    };
    return cmocka_run_group_tests_name("drop", tests, NULL, NULL);
}
