/* SPDX-License-Identifier: Apache-2.0
 *
 * The probe program as a controller starts it, in a network namespace of its own: what its
 * processes may still do once it is ready, and that none of them outlives the others. Skipped where
 * namespaces cannot be made. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "probe/base/clock.h"
#include "probe/wire/message.h"
#include "probe/wire/record.h"
#include "tests/support/sp_cmocka.h"

struct probe {
    pid_t parent, sensor, link, caller;
    int fd;
};

static bool has_namespace;

static bool loopback_up(void)
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        (void)execl("/bin/sh", "sh", "-c", "ip link set lo up", (char *)NULL);
        _exit(127);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static int enter(void **state)
{
    (void)state;
    has_namespace = geteuid() == 0 && unshare(CLONE_NEWNET) == 0 && loopback_up();
    return 0;
}

#define NEED_NAMESPACE()                                                                           \
    do {                                                                                           \
        (void)state;                                                                               \
        if (!has_namespace) {                                                                      \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

/* One record, at most five seconds; false at the end of the stream. */
static bool next(int fd, struct sp_record *record)
{
    uint8_t bytes[SP_RECORD_BYTES];
    size_t have = 0;
    uint64_t end = sp_mono_us() + 5000000;
    while (have < sizeof(bytes)) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (sp_mono_us() > end || poll(&p, 1, 1000) < 0) {
            fail_msg("the probe says nothing");
        }
        ssize_t n = p.revents ? read(fd, bytes + have, sizeof(bytes) - have) : -1;
        if (n == 0 || (n < 0 && p.revents && errno == ECONNRESET)) {
            assert_int_equal(have, 0);
            return false;
        }
        have += n > 0 ? (size_t)n : 0;
    }
    assert_int_equal(sp_record_decode(bytes, record, NULL), SP_OK);
    return true;
}

static void wait_for(int fd, uint8_t type, struct sp_record *record)
{
    do {
        assert_true(next(fd, record));
        if (record->type == SP_REC_ERROR && type != SP_REC_ERROR) {
            fail_msg("error: %s", record->u.error.text);
        }
    } while (record->type != type);
}

static struct probe start(bool as_nobody)
{
    struct probe probe = {0};
    int ends[2];
    int program = open(SP_PROBE_PROGRAM, O_RDONLY);
    assert_true(program >= 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    (void)fflush(NULL);
    probe.parent = fork();
    if (probe.parent == 0) {
        char name[] = "segproof-probe";
        char stdio[] = "--stdio";
        char target[] = "--allow-target=127.0.0.1";
        char leaks[] = "ASAN_OPTIONS=detect_leaks=0"; /* needs ptrace, which is dropped */
        char *argv[] = {name, stdio, target, NULL};
        char *envp[] = {leaks, NULL};
        (void)dup2(ends[1], 0);
        (void)dup2(ends[1], 1);
        if (as_nobody && (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))) {
            _exit(99);
        }
        (void)fexecve(program, argv, envp);
        _exit(98);
    }
    (void)close(ends[1]);
    (void)close(program);
    probe.fd = ends[0];
    return probe;
}

static bool read_file(pid_t pid, const char *name, char out[8192])
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t n = read(fd, out, 8191);
    (void)close(fd);
    for (ssize_t i = 0; i < n; i++) {
        out[i] = out[i] ? out[i] : ' ';
    }
    out[n < 0 ? 0 : n] = '\0';
    return n > 0;
}

static const char *line_of(const char *status, const char *key, char out[128])
{
    const char *at = strstr(status, key);
    assert_non_null(at);
    at += strlen(key);
    size_t len = strcspn(at, "\n");
    assert_true(len < 128);
    memcpy(out, at, len);
    out[len] = '\0';
    return out;
}

/* Finds the children by their role. */
static void find_roles(struct probe *probe)
{
    DIR *proc = opendir("/proc");
    const struct dirent *entry;
    assert_non_null(proc);
    while ((entry = readdir(proc)) != NULL) {
        char text[8192];
        char ppid[128];
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid <= 0 || !read_file(pid, "status", text) ||
            strtol(line_of(text, "\nPPid:", ppid), NULL, 10) != probe->parent ||
            !read_file(pid, "cmdline", text)) {
            continue;
        }
        if (strstr(text, "--role=sensor")) {
            probe->sensor = pid;
        } else if (strstr(text, "--role=link")) {
            probe->link = pid;
        } else if (strstr(text, "--role=caller")) {
            probe->caller = pid;
        }
    }
    (void)closedir(proc);
}

static struct probe start_ready(void)
{
    struct probe probe = start(false);
    struct sp_record r;
    wait_for(probe.fd, SP_REC_HELLO, &r);
    assert_int_equal(r.u.hello.protocol, SP_WIRE_VERSION);
    assert_int_equal(r.u.hello.generation, 0);
    uint32_t pid = r.u.hello.pid;
    wait_for(probe.fd, SP_REC_READY, &r);
    find_roles(&probe);
    assert_int_equal(probe.sensor, (pid_t)pid);
    assert_true(probe.link > 0);
    return probe;
}

/* Every process of the probe ends within five seconds. */
static void all_end(struct probe *probe)
{
    uint64_t end = sp_mono_us() + 5000000;
    const pid_t pids[] = {probe->sensor, probe->link, probe->caller};
    int status;
    while (waitpid(probe->parent, &status, WNOHANG) == 0) {
        assert_true(sp_mono_us() < end);
        struct timespec pause = {.tv_nsec = 5000000};
        (void)nanosleep(&pause, NULL);
    }
    for (size_t i = 0; i < 3; i++) {
        char text[8192];
        char state[128];
        while (pids[i] > 0 && read_file(pids[i], "status", text) &&
               !strchr(line_of(text, "\nState:", state), 'Z')) {
            assert_true(sp_mono_us() < end);
            struct timespec pause = {.tv_nsec = 5000000};
            (void)nanosleep(&pause, NULL);
        }
    }
    (void)close(probe->fd);
}

static void put(void *arg, const struct sp_record *record)
{
    const int *fd = arg;
    uint8_t bytes[SP_RECORD_BYTES];
    sp_record_encode(record, bytes);
    assert_int_equal(write(*fd, bytes, sizeof(bytes)), sizeof(bytes));
}

/* Asks for a conversation and returns what is told; the caller is then up. */
static void ask(struct probe *probe, uint8_t topic, const char *question, char out[4096])
{
    struct sp_messages messages = {0};
    struct sp_message *told = NULL;
    struct sp_record r;
    sp_message_split(SP_REC_QUERY, 7, topic, question, strlen(question), put, &probe->fd);
    while (!told) {
        wait_for(probe->fd, SP_REC_TOLD, &r);
        assert_int_equal(sp_messages_add(&messages, SP_REC_TOLD, &r, &told), SP_OK);
    }
    assert_int_equal(told->id, 7);
    assert_int_equal(told->topic, topic);
    (void)snprintf(out, 4096, "%s", sp_buf_text(&told->text));
    sp_message_done(told);
    find_roles(probe);
}

static void no_privilege_is_left(void **state)
{
    NEED_NAMESPACE();
    struct probe probe = start_ready();
    char told[4096];
    assert_int_equal(probe.caller, 0); /* nobody asked for it */
    ask(&probe, SP_TOPIC_CALL, "name=a.example\nport=443\n", told);
    assert_non_null(strstr(told, "error=this probe may not talk to a.example:443"));
    assert_true(probe.caller > 0);
    const pid_t pids[] = {probe.sensor, probe.link, probe.caller};
    static const char *const empty[] = {
        "\nCapInh:", "\nCapPrm:", "\nCapEff:", "\nCapBnd:", "\nCapAmb:"};
    for (size_t i = 0; i < 3; i++) {
        char text[8192];
        char value[128];
        assert_true(read_file(pids[i], "status", text));
        for (size_t k = 0; k < 5; k++) {
            assert_string_equal(line_of(text, empty[k], value), "\t0000000000000000");
        }
        assert_string_equal(line_of(text, "\nNoNewPrivs:", value), "\t1");
        assert_string_equal(line_of(text, "\nUid:", value), "\t65534\t65534\t65534\t65534");
        assert_string_equal(line_of(text, "\nGid:", value), "\t65534\t65534\t65534\t65534");
        (void)line_of(text, "\nGroups:", value);
        assert_int_equal(strspn(value, " \t"), strlen(value));
    }
    (void)close(probe.fd);
    all_end(&probe);
}

/* How many of the process's descriptors stand in the kernel's list of raw and packet sockets. */
static size_t raw_sockets(pid_t pid)
{
    static const char *const lists[] = {"net/packet", "net/raw", "net/raw6"};
    char path[64];
    size_t n = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    const struct dirent *entry;
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        char link[400];
        char to[128] = {0};
        char inode[64];
        unsigned long number;
        (void)snprintf(link, sizeof(link), "%s/%s", path, entry->d_name);
        if (readlink(link, to, sizeof(to) - 1) <= 0 || strncmp(to, "socket:[", 8) != 0) {
            continue;
        }
        number = strtoul(to + 8, NULL, 10);
        (void)snprintf(inode, sizeof(inode), " %lu ", number);
        for (size_t i = 0; i < 3; i++) {
            char text[8192];
            if (read_file(pid, lists[i], text)) {
                for (char *p = text; *p; p++) {
                    *p = *p == '\n' ? ' ' : *p;
                }
                n += strstr(text, inode) != NULL;
            }
        }
    }
    (void)closedir(dir);
    return n;
}

static void only_the_sensor_has_raw_sockets(void **state)
{
    NEED_NAMESPACE();
    struct probe probe = start_ready();
    assert_true(raw_sockets(probe.sensor) >= 3); /* capture, host witness, injection */
    assert_int_equal(raw_sockets(probe.link), 0);
    char told[4096];
    ask(&probe, SP_TOPIC_SERVE, "x=y\n", told);
    assert_non_null(strstr(told, "error="));
    assert_int_equal(raw_sockets(probe.caller), 0);
    assert_int_equal(raw_sockets(probe.parent), 0);
    (void)close(probe.fd);
    all_end(&probe);
}

static void stop_ends_it(void **state)
{
    NEED_NAMESPACE();
    struct probe probe = start_ready();
    struct sp_record stop = {.type = SP_REC_STOP};
    struct sp_record r;
    uint8_t bytes[SP_RECORD_BYTES];
    sp_record_encode(&stop, bytes);
    assert_int_equal(write(probe.fd, bytes, sizeof(bytes)), sizeof(bytes));
    while (next(probe.fd, &r)) {
    }
    all_end(&probe);
}

/* A caller that dies costs its questions, and nothing else; the next question starts another one.
 */
static void a_dead_caller_is_replaced(void **state)
{
    NEED_NAMESPACE();
    struct probe probe = start_ready();
    char told[4096];
    ask(&probe, SP_TOPIC_CALL, "nonsense=1\n", told);
    pid_t first = probe.caller;
    assert_true(first > 0);
    (void)kill(first, SIGKILL);
    for (int i = 0; i < 500 && kill(first, 0) == 0; i++) {
        struct timespec pause = {.tv_nsec = 10000000};
        (void)nanosleep(&pause, NULL);
    }
    ask(&probe, SP_TOPIC_CALL, "nonsense=1\n", told);
    if (strstr(told, "ended unexpectedly")) { /* the link had not seen its end yet */
        ask(&probe, SP_TOPIC_CALL, "nonsense=1\n", told);
    }
    probe.caller = 0;
    find_roles(&probe);
    assert_non_null(strstr(told, "error=the question's nonsense"));
    assert_int_not_equal(probe.caller, first);
    (void)close(probe.fd);
    all_end(&probe);
}

/* Whichever process dies, no other is left behind. */
static void nobody_is_left_behind(void **state)
{
    NEED_NAMESPACE();
    for (int who = 0; who < 2; who++) {
        struct probe probe = start_ready();
        struct sp_record r;
        char told[4096];
        ask(&probe, SP_TOPIC_CALL, "nonsense=1\n", told);
        (void)kill(who == 0 ? probe.parent : probe.link, SIGKILL);
        while (next(probe.fd, &r)) {
        }
        all_end(&probe);
    }
    struct probe probe = start_ready();
    (void)kill(probe.parent, SIGTERM);
    all_end(&probe);
}

/* A sensor that dies is started again, and says that it is a new one. */
static void a_dead_sensor_is_replaced(void **state)
{
    NEED_NAMESPACE();
    struct probe probe = start_ready();
    struct sp_record r;
    (void)kill(probe.sensor, SIGKILL);
    wait_for(probe.fd, SP_REC_HELLO, &r);
    assert_int_equal(r.u.hello.generation, 1);
    assert_int_equal(r.u.hello.is_restart, 1);
    assert_int_not_equal(r.u.hello.pid, (uint32_t)probe.sensor);
    wait_for(probe.fd, SP_REC_READY, &r);
    find_roles(&probe);
    (void)close(probe.fd);
    all_end(&probe);
}

/* Bytes that are no record end it, with everything. */
static void garbage_ends_it(void **state)
{
    NEED_NAMESPACE();
    struct probe probe = start_ready();
    struct sp_record r;
    uint8_t bytes[SP_RECORD_BYTES];
    memset(bytes, 0xff, sizeof(bytes));
    assert_int_equal(write(probe.fd, bytes, sizeof(bytes)), sizeof(bytes));
    while (next(probe.fd, &r)) {
    }
    all_end(&probe);
}

static void without_privilege_it_says_so(void **state)
{
    NEED_NAMESPACE();
    struct probe probe = start(true);
    struct sp_record r;
    wait_for(probe.fd, SP_REC_ERROR, &r);
    assert_int_equal(r.u.error.code, SP_ERR_NO_RAW);
    assert_true(r.u.error.text[0] != '\0');
    while (next(probe.fd, &r)) {
        assert_int_equal(r.type, SP_REC_ERROR); /* never READY */
    }
    all_end(&probe);
}

/* ---- carried to its host ---- */

static void copy_program(const char *to)
{
    char command[600];
    int status = -1;
    (void)snprintf(command, sizeof(command), "cp '%s' '%s'", SP_PROBE_PROGRAM, to);
    pid_t pid = fork();
    if (pid == 0) {
        (void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(99);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static struct probe start_with(const char *program, char *option)
{
    struct probe probe = {0};
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    (void)fflush(NULL);
    probe.parent = fork();
    if (probe.parent == 0) {
        char name[] = "segproof-probe";
        char stdio[] = "--stdio";
        char leaks[] = "ASAN_OPTIONS=detect_leaks=0";
        char *argv[] = {name, stdio, option, NULL};
        char *envp[] = {leaks, NULL};
        (void)dup2(ends[1], 0);
        (void)dup2(ends[1], 1);
        (void)execve(program, argv, envp);
        _exit(98);
    }
    (void)close(ends[1]);
    probe.fd = ends[0];
    return probe;
}

/* The file and its folder are gone before the first record; the probe can still start its sensor
 * anew. */
static void it_removes_itself(void **state)
{
    NEED_NAMESPACE();
    char above[] = "/tmp/sp-probe-XXXXXX";
    char folder[64];
    char program[96];
    char option[] = "--remove-self";
    assert_non_null(mkdtemp(above));
    (void)snprintf(folder, sizeof(folder), "%s/segproof.abc", above);
    (void)snprintf(program, sizeof(program), "%s/segproof-probe", folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    copy_program(program);
    struct probe probe = start_with(program, option);
    struct sp_record r;
    wait_for(probe.fd, SP_REC_HELLO, &r);
    assert_int_equal(rmdir(above), 0); /* empty */
    wait_for(probe.fd, SP_REC_READY, &r);
    find_roles(&probe);
    (void)kill(probe.sensor, SIGKILL);
    wait_for(probe.fd, SP_REC_HELLO, &r);
    assert_int_equal(r.u.hello.generation, 1);
    wait_for(probe.fd, SP_REC_READY, &r);
    find_roles(&probe);
    (void)close(probe.fd);
    all_end(&probe);
}

/* A program that was not carried there is not removed, whoever asks. */
static void it_removes_nothing_else(void **state)
{
    (void)state;
    char above[] = "/tmp/sp-probe-XXXXXX";
    char program[96];
    char option[] = "--remove-self";
    int status = -1;
    struct sp_record r;
    assert_non_null(mkdtemp(above));
    (void)snprintf(program, sizeof(program), "%s/segproof-probe", above);
    copy_program(program);
    struct probe probe = start_with(program, option);
    assert_false(next(probe.fd, &r));
    assert_int_equal(waitpid(probe.parent, &status, 0), probe.parent);
    assert_int_equal(status, 1 << 8);
    (void)close(probe.fd);
    assert_int_equal(unlink(program), 0);
    assert_int_equal(rmdir(above), 0);
}

/* The stream stays open: a connection that was cut without a word. */
static void silence_ends_it(void **state)
{
    NEED_NAMESPACE();
    char option[] = "--silence-limit=1s";
    const struct sp_record alive = {.type = SP_REC_ALIVE};
    uint8_t bytes[SP_RECORD_BYTES];
    struct probe probe = start_with(SP_PROBE_PROGRAM, option);
    struct sp_record r;
    wait_for(probe.fd, SP_REC_READY, &r);
    find_roles(&probe);
    sp_record_encode(&alive, bytes);
    for (int i = 0; i < 8; i++) { /* two seconds in all */
        assert_int_equal(write(probe.fd, bytes, sizeof(bytes)), sizeof(bytes));
        struct timespec pause = {.tv_nsec = 250000000};
        (void)nanosleep(&pause, NULL);
        assert_int_equal(waitpid(probe.parent, NULL, WNOHANG), 0);
    }
    uint64_t from = sp_mono_us();
    while (next(probe.fd, &r)) {
        assert_int_not_equal(r.type, SP_REC_ERROR); /* it was not an order for the sensor */
    }
    assert_true(sp_mono_us() - from < 4000000);
    all_end(&probe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_privilege_is_left),
        cmocka_unit_test(only_the_sensor_has_raw_sockets),
        cmocka_unit_test(stop_ends_it),
        cmocka_unit_test(nobody_is_left_behind),
        cmocka_unit_test(a_dead_sensor_is_replaced),
        cmocka_unit_test(a_dead_caller_is_replaced),
        cmocka_unit_test(garbage_ends_it),
        cmocka_unit_test(without_privilege_it_says_so),
        cmocka_unit_test(it_removes_itself),
        cmocka_unit_test(it_removes_nothing_else),
        cmocka_unit_test(silence_ends_it),
    };
    return cmocka_run_group_tests_name("processes", tests, enter, NULL);
}
