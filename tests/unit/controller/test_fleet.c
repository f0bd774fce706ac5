/* SPDX-License-Identifier: Apache-2.0
 *
 * Probes that are carried by ssh, with a program in ssh's place that runs what it is given on this
 * machine, or fails in the ways that ssh does; and how a fleet starts, waits for and ends them. In
 * a network namespace of its own; skipped where that cannot be made. */
#include "controller/fleet.h"

#include <dirent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "controller/image.h"
#include "probe/base/clock.h"
#include "probe/base/mem.h"
#include "tests/support/model_builder.h"
#include "tests/support/sp_cmocka.h"

static char root[] = "/tmp/sp-fleet-XXXXXX";
static char room[48], turns[48];
static bool has_namespace;
static struct event_base *base;

/* The target says how it behaves. $D: the folder of this test. */
static const char fake_ssh[] =
    "#!/bin/sh\n"
    "while [ \"$1\" != -- ]; do shift; done\n"
    "echo $$ >\"$D/pid\"\n"
    "case $2 in\n"
    "good*) exec sh -c \"$3\" ;;\n"
    "slow*) : >\"$D/turns/$$\"; ls \"$D/turns\" | wc -l >>\"$D/seen\"; sleep 0.2\n"
    "  rm \"$D/turns/$$\"; exit 255 ;;\n"
    "hang*) sleep 100 ;;\n"
    "key*) echo 'Host key verification failed.' >&2; exit 255 ;;\n"
    "late*) exec 1>&- 0<&-; sleep 0.3; echo 'root@x: Permission denied (publickey).' >&2; exit 255 ;;\n"
    "loud*) head -c 100000 /dev/zero | tr '\\0' x >&2; echo >&2; echo the last words >&2; exit 1 ;;\n"
    "noise*) echo 'No entry today.'; exit 1 ;;\n"
    "esac\n";

static int run_shell(const char *command)
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        (void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(99);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid ? status : -1;
}

static int set_up(void **state)
{
    (void)state;
    char text[4600];
    const struct sigaction ignore = {.sa_handler = SIG_IGN}; /* as main does */
    (void)sigaction(SIGPIPE, &ignore, NULL);
    if (!mkdtemp(root)) {
        return -1;
    }
    (void)snprintf(text, sizeof(text), "%s/ssh", root);
    int fd = open(text, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    if (fd < 0 || write(fd, fake_ssh, sizeof(fake_ssh) - 1) < 0 || close(fd) != 0) {
        return -1;
    }
    (void)snprintf(room, sizeof(room), "%s/room", root);
    (void)snprintf(turns, sizeof(turns), "%s/turns", root);
    (void)snprintf(text, sizeof(text), "%s:%s", root, getenv("PATH"));
    (void)setenv("PATH", text, 1);
    (void)setenv("D", root, 1);
    (void)setenv("XDG_RUNTIME_DIR", room, 1);
    (void)setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* of the probes */
    has_namespace =
        geteuid() == 0 && unshare(CLONE_NEWNET) == 0 && run_shell("ip link set lo up") == 0;
    base = event_base_new();
    return mkdir(room, 0700) == 0 && mkdir(turns, 0700) == 0 && base ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    char text[80];
    event_base_free(base);
    (void)snprintf(text, sizeof(text), "rm -rf '%s'", root);
    return run_shell(text);
}

static bool is_empty(const char *folder)
{
    size_t n = 0;
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        n += entry->d_name[0] != '.';
    }
    (void)closedir(dir);
    return n == 0;
}

/* ---- a fleet ---- */

static struct sp_model *model;

/* targets: how ssh behaves for each host; "local" and "netns" are those deployers. */
static struct sp_fleet *start(const char *const *targets, size_t n, uint64_t timeout_ms)
{
    struct sp_diag diag = {0};
    struct sp_fleet *fleet = NULL;
    const struct sp_fleet_options options = {.probe_path = SP_PROBE_PROGRAM,
                                             .timeout_ms = timeout_ms};
    model = sp_mb_new();
    (void)sp_mb_network(model, "net", NULL, SP_NET_SUBNET, "127.0.0.0/8");
    for (size_t i = 0; i < n; i++) {
        char name[24];
        bool is_ssh = strcmp(targets[i], "local") != 0;
        (void)snprintf(name, sizeof(name), "h%zu", i);
        uint32_t host = sp_mb_host(model, name, "net", "127.0.0.1", is_ssh ? "ssh" : targets[i]);
        if (is_ssh) {
            model->hosts[host].target = sp_strdup(targets[i]);
            assert_non_null(model->hosts[host].target);
        }
    }
    if (sp_fleet_new(model, base, &options, &fleet, &diag) != SP_OK) {
        fail_msg("%s", diag.text);
    }
    struct sp_addr target;
    assert_int_equal(sp_addr_parse("127.0.0.1", &target), SP_OK);
    for (uint32_t h = 0; h < n; h++) {
        sp_fleet_start(fleet, h, &target, 1);
    }
    return fleet;
}

static void free_model(void)
{
    for (size_t i = 0; i < model->nhosts; i++) {
        sp_free(model->hosts[i].target);
    }
    sp_mb_free(model);
}

static void stop(struct sp_fleet *fleet)
{
    sp_fleet_free(fleet);
    free_model();
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
    assert_true(is_empty(room));
}

static void turn_until_lost(const struct sp_fleet *fleet, uint32_t host)
{
    uint64_t end = sp_mono_us() + 5000000;
    while (fleet->sessions[host].state != SP_PROBE_LOST && sp_mono_us() < end) {
        struct timeval tv = {.tv_usec = 10000};
        (void)event_base_loopexit(base, &tv);
        (void)event_base_loop(base, EVLOOP_ONCE);
    }
    assert_int_equal(fleet->sessions[host].state, SP_PROBE_LOST);
}

static void expect_lost(const struct sp_session *session, const char *words)
{
    assert_int_equal(session->state, SP_PROBE_LOST);
    if (!strstr(session->reason, words)) {
        fail_msg("host %u: '%s' does not say '%s'", session->host, session->reason, words);
    }
}

/* ---- tests ---- */

#define NEED_NAMESPACE()                                                                           \
    do {                                                                                           \
        (void)state;                                                                               \
        if (!has_namespace) {                                                                      \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

static void ready_and_stopped(void **state)
{
    NEED_NAMESPACE();
    static const char *const targets[] = {"good-1", "local", "good-2"};
    struct sp_fleet *fleet = start(targets, 3, 20000);
    sp_fleet_wait(fleet, 20000);
    for (size_t i = 0; i < 3; i++) {
        if (fleet->sessions[i].state != SP_PROBE_READY) {
            fail_msg("%s: %s", targets[i], fleet->sessions[i].reason);
        }
    }
    assert_string_equal(fleet->sessions[0].privilege, "root login");
    assert_null(fleet->sessions[1].privilege);
    assert_true(is_empty(room)); /* they removed themselves long ago */
    stop(fleet);
}

/* ssh ends in mid-run: lost at once, and the reason follows. */
static void cut(void **state)
{
    NEED_NAMESPACE();
    static const char *const targets[] = {"good-1"};
    struct sp_fleet *fleet = start(targets, 1, 20000);
    sp_fleet_wait(fleet, 20000);
    assert_int_equal(fleet->sessions[0].state, SP_PROBE_READY);
    (void)kill(-fleet->sessions[0].pid, SIGKILL);
    turn_until_lost(fleet, 0);
    sp_fleet_settle(fleet);
    expect_lost(&fleet->sessions[0], "the connection to good-1 was lost: ssh was killed");
    stop(fleet);
}

static void every_failure_has_its_reason(void **state)
{
    NEED_NAMESPACE();
    static const char *const targets[] = {"key", "late", "loud", "noise", "hang", "local"};
    uint64_t from = sp_mono_us();
    struct sp_fleet *fleet = start(targets, 6, 3000);
    sp_fleet_wait(fleet, 3000);
    expect_lost(&fleet->sessions[0], "the host key of key");
    expect_lost(&fleet->sessions[1], "late: permission denied");
    expect_lost(&fleet->sessions[2], "on loud: the last words");
    expect_lost(&fleet->sessions[3], "its login says: No entry today.");
    expect_lost(&fleet->sessions[4], "no connection to hang within 3000 ms");
    assert_int_equal(fleet->sessions[5].state, SP_PROBE_READY); /* not held up */
    assert_true(sp_mono_us() - from < 6000000);
    stop(fleet);
}

/* Many hosts: never more at once than a jump host takes, and each gets its turn. */
static void they_take_turns(void **state)
{
    NEED_NAMESPACE();
    const char *targets[30];
    char path[80];
    char line[32];
    size_t runs = 0;
    unsigned long most = 0;
    for (size_t i = 0; i < 30; i++) {
        targets[i] = "slow";
    }
    /* Each has its own time: all of them together take longer than that. */
    struct sp_fleet *fleet = start(targets, 30, 600);
    sp_fleet_wait(fleet, 600);
    for (size_t i = 0; i < 30; i++) {
        expect_lost(&fleet->sessions[i], "no probe could be started on slow");
    }
    (void)snprintf(path, sizeof(path), "%s/seen", root);
    FILE *seen = fopen(path, "re");
    assert_non_null(seen);
    while (fgets(line, sizeof(line), seen)) {
        unsigned long now = strtoul(line, NULL, 10);
        most = now > most ? now : most;
        runs++;
    }
    (void)fclose(seen);
    assert_int_equal(runs, 30);
    assert_true(most > 1 && most <= SP_REMOTE_AT_ONCE);
    stop(fleet);
}

/* Given up while some wait for their turn, some connect, and some run. */
static void stopped_in_the_middle(void **state)
{
    NEED_NAMESPACE();
    const char *targets[12] = {"good", "hang", "good", "hang", "hang", "hang",
                               "hang", "hang", "hang", "hang", "hang", "good"};
    struct sp_fleet *fleet = start(targets, 12, 20000);
    for (int i = 0; i < 30; i++) {
        struct timeval tv = {.tv_usec = 10000};
        (void)event_base_loopexit(base, &tv);
        (void)event_base_loop(base, EVLOOP_ONCE);
    }
    uint64_t from = sp_mono_us();
    stop(fleet);
    assert_true(sp_mono_us() - from < 3000000);
}

static void the_stop_flag(void **state)
{
    NEED_NAMESPACE();
    static const char *const targets[] = {"hang"};
    volatile bool flag = true;
    struct sp_fleet *fleet = start(targets, 1, 20000);
    fleet->options.stop_flag = &flag;
    uint64_t from = sp_mono_us();
    sp_fleet_wait(fleet, 20000);
    assert_true(sp_mono_us() - from < 1000000);
    expect_lost(&fleet->sessions[0], "interrupted");
    stop(fleet);
}

/* Any allocation may fail: a host is lost then, and nothing leaks. */
static void out_of_memory(void **state)
{
    NEED_NAMESPACE();
    for (size_t n = 1; n < 200; n++) {
        struct sp_addr target;
        assert_int_equal(sp_addr_parse("127.0.0.1", &target), SP_OK);
        const struct sp_fleet_options options = {.probe_path = SP_PROBE_PROGRAM,
                                                 .timeout_ms = 1000};
        model = sp_mb_new();
        (void)sp_mb_network(model, "net", NULL, SP_NET_SUBNET, "127.0.0.0/8");
        uint32_t host = sp_mb_host(model, "h", "net", "127.0.0.1", "ssh");
        model->hosts[host].target = sp_strdup("key");
        (void)sp_mem_fail_at(n, 1);
        struct sp_fleet *torn = NULL;
        enum sp_rc rc = sp_fleet_new(model, base, &options, &torn, NULL);
        if (rc == SP_OK) {
            sp_fleet_start(torn, 0, &target, 1);
        }
        (void)sp_mem_fail_at(0, 0);
        bool done = rc == SP_OK && torn->sessions[0].state == SP_PROBE_STARTING;
        if (rc == SP_OK && !done) {
            assert_non_null(strstr(torn->sessions[0].reason, "memory"));
        }
        sp_fleet_free(torn);
        free_model();
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
        if (done) {
            return;
        }
    }
    fail_msg("it never came through");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ready_and_stopped),
        cmocka_unit_test(cut),
        cmocka_unit_test(every_failure_has_its_reason),
        cmocka_unit_test(they_take_turns),
        cmocka_unit_test(stopped_in_the_middle),
        cmocka_unit_test(the_stop_flag),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests_name("fleet", tests, set_up, tear_down);
}
