/* SPDX-License-Identifier: Apache-2.0
 *
 * From what ssh, sudo and the script write to one line that says what to do. The words are
 * OpenSSH's and sudo's own. */
#include "controller/deployers/ssh_reason.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/sp_cmocka.h"

#define EXITED(code) ((code) << 8)

static const struct sp_host host = {.name = (char *)(uintptr_t) "db-1",
                                    .target = (char *)(uintptr_t) "admin@db-1"};

static const struct {
    const char *words;
    int status;
    bool was_ready;
    const char *noise, *want;
} rows[] = {
    {"segproof: that host is aarch64, this probe is x86_64: x\n", EXITED(65), false, "",
     "that host is aarch64, this probe is x86_64: x"},
    {"sudo: unable to resolve host b: Name or service not known\nsegproof: no room\n", EXITED(65),
     false, "", "no room"},
    {"No ED25519 host key is known for db-1 and you have requested strict checking.\r\nHost key "
     "verification failed.\r\n",
     EXITED(255), false, "", "the host key of admin@db-1, or of a jump host"},
    {"@@@@@@@\n@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n@@@@@@\nIT IS POSSIBLE\n"
     "Host key verification failed.\n",
     EXITED(255), false, "", "the host key of admin@db-1 has changed"},
    {"admin@db-1: Permission denied (publickey).\r\n", EXITED(255), false, "",
     "admin@db-1: permission denied: wrong user"},
    {"ssh: Could not resolve hostname db-1: Name or service not known\n", EXITED(255), false, "",
     "the name of admin@db-1 is not known"},
    {"ssh: connect to host db-1 port 22: Connection refused\r\n", EXITED(255), false, "",
     "admin@db-1: connection refused"},
    {"ssh: connect to host db-1 port 22: Connection timed out\r\n", EXITED(255), false, "",
     "admin@db-1 does not answer"},
    {"Connection timed out during banner exchange\n", EXITED(255), false, "",
     "admin@db-1 does not answer"},
    {"ssh: connect to host db-1 port 22: No route to host\n", EXITED(255), false, "",
     "there is no route to admin@db-1"},
    {"sudo: a password is required\n", EXITED(1), false, "", "sudo wants a password on admin@db-1"},
    {"sudo: sorry, you must have a tty to run sudo\n", EXITED(1), false, "",
     "sudo wants a terminal on admin@db-1"},
    {"admin is not in the sudoers file.\n", EXITED(1), false, "",
     "the user of admin@db-1 may not use sudo there"},
    {"Sorry, user admin is not allowed to execute '/x' as root on b.\n", EXITED(1), false, "",
     "may not run a probe with sudo"},
    {"/x: line 2: Bad configuration option: frobnicate\r\n/x: terminating, 1 bad\n", EXITED(255),
     false, "", "/x: line 2: Bad configuration option: frobnicate"},
    {"first\nsomething new\n", EXITED(255), false, "",
     "no probe could be started on admin@db-1: something new"},
    {"", EXITED(1), false, "This account is currently not available.",
     "its login says: This account is currently not available."},
    {"", EXITED(3), false, "", "the shell there ended with 3"},
    {"", 9, false, "", "ssh was killed (signal 9)"},
    {"", -1, false, "", "no probe could be started on admin@db-1"},
    /* after it was ready */
    {"Timeout, server db-1 not responding.\r\n", EXITED(255), true, "",
     "the connection to admin@db-1 was lost: nothing was heard from it any more"},
    {"", EXITED(255), true, "", "the connection to admin@db-1 was lost: nothing was heard"},
    {"Connection to db-1 closed by remote host.\r\n", EXITED(255), true, "",
     "the connection to admin@db-1 was lost: its ssh server closed it"},
    {"Read from remote host db-1: Connection reset by peer\n", EXITED(255), true, "",
     "the connection to admin@db-1 was lost: it was reset"},
    {"client_loop: send disconnect: Broken pipe\n", EXITED(255), true, "",
     "the connection to admin@db-1 was lost: it broke"},
    {"something new\n", EXITED(255), true, "",
     "the connection to admin@db-1 was lost: something new"},
    {"", 9, true, "", "the connection to admin@db-1 was lost: ssh was killed (signal 9)"},
    {"", -1, true, "", "the connection to admin@db-1 was lost"},
    {"segproof-probe: out of luck\n", EXITED(1), true, "", "its probe ended: segproof-probe: out"},
    {"", EXITED(137), true, "", "its probe ended (killed there)"},
};

static void every_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++) {
        const struct sp_ended ended = {.words = rows[i].words,
                                       .noise = rows[i].noise,
                                       .status = rows[i].status,
                                       .was_ready = rows[i].was_ready};
        char out[480];
        memset(out, 'x', sizeof(out));
        sp_ssh_reason(&host, &ended, out, sizeof(out));
        if (!strstr(out, rows[i].want) || strpbrk(out, "\r\n")) {
            fail_msg("row %zu: '%s' does not say '%s'", i, out, rows[i].want);
        }
        if (rows[i].was_ready && rows[i].status != EXITED(1) && rows[i].status != EXITED(137)) {
            assert_int_equal(strncmp(out, "the connection to ", 18), 0);
        }
    }
}

/* Whatever is written, and however little room there is, the answer is a text that ends. */
static void any_size(void **state)
{
    (void)state;
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++) {
        const struct sp_ended ended = {.words = rows[i].words,
                                       .noise = rows[i].noise,
                                       .status = rows[i].status,
                                       .was_ready = rows[i].was_ready};
        for (size_t size = 1; size < 300; size++) {
            char *out = malloc(size);
            assert_non_null(out);
            memset(out, 'x', size);
            sp_ssh_reason(&host, &ended, out, size);
            assert_non_null(memchr(out, '\0', size));
            free(out);
        }
    }
    char words[4096];
    memset(words, 'y', sizeof(words) - 1);
    words[sizeof(words) - 1] = '\0';
    const struct sp_ended ended = {.words = words, .noise = words, .status = EXITED(255)};
    char out[480];
    sp_ssh_reason(&host, &ended, out, sizeof(out));
    assert_non_null(strstr(out, "yyy"));
}

/* A target is text, never a format. */
static void a_target_with_percent(void **state)
{
    (void)state;
    struct sp_host odd = {.name = (char *)(uintptr_t) "x",
                          .target = (char *)(uintptr_t) "fe80::1%n%s"};
    const struct sp_ended ended = {
        .words = "ssh: connect: Connection refused\n", .noise = "", .status = EXITED(255)};
    char out[480];
    sp_ssh_reason(&odd, &ended, out, sizeof(out));
    assert_non_null(strstr(out, "fe80::1%n%s: connection refused"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row),
        cmocka_unit_test(any_size),
        cmocka_unit_test(a_target_with_percent),
    };
    return cmocka_run_group_tests_name("ssh_reason", tests, NULL, NULL);
}
