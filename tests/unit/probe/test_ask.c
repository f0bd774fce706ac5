/* SPDX-License-Identifier: Apache-2.0
 *
 * What the sensor may ask of the parent, and nothing else; the sockets that come of it; and the
 * port that a conversation holds. */
#include "probe/ask.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "probe/base/clock.h"
#include "probe/base/proto.h"
#include "probe/hold.h"
#include "probe/tcpsock.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/packet/packet_kit.h"

static struct sp_ask ask_for(const char *addr, uint16_t port)
{
    return (struct sp_ask){.proto = SP_PROTO_TCP, .port = port, .iface = 1, .addr = kit_addr(addr)};
}

static void a_message_is_read_back(void **state)
{
    (void)state;
    static const char *const addrs[] = {"127.0.0.1", "::1"};
    for (size_t i = 0; i < 2; i++) {
        uint8_t bytes[SP_ASK_BYTES];
        struct sp_ask back = {0};
        struct sp_ask ask = ask_for(addrs[i], 443);
        sp_ask_encode(&ask, bytes);
        assert_true(sp_ask_decode(bytes, sizeof(bytes), &back));
        assert_true(back.port == 443 && back.iface == 1 && sp_addr_eq(&back.addr, &ask.addr));
        for (size_t n = 0; n < sizeof(bytes); n++) {
            assert_false(sp_ask_decode(bytes, n, &back));
        }
    }
}

static void other_messages_are_refused(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t value;
    } wrong[] = {{0, 0}, {4, SP_PROTO_UDP}, {4, 200}, {5, 0}, {5, 7}, {7, 0}, {20, 1}, {31, 1}};
    struct sp_ask back;
    struct sp_ask ask = ask_for("10.0.0.1", 80);
    uint8_t bytes[SP_ASK_BYTES + 1] = {0};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        sp_ask_encode(&ask, bytes);
        bytes[wrong[i].at] = wrong[i].value;
        assert_false(sp_ask_decode(bytes, SP_ASK_BYTES, &back));
    }
    sp_ask_encode(&ask, bytes);
    assert_false(sp_ask_decode(bytes, SP_ASK_BYTES + 1, &back));
    static const char *const wild[] = {"0.0.0.0", "::"};
    for (size_t i = 0; i < 2; i++) {
        ask = ask_for(wild[i], 80);
        sp_ask_encode(&ask, bytes);
        assert_false(sp_ask_decode(bytes, SP_ASK_BYTES, &back));
    }
}

/* In a child, the parent's side: serves so many messages. */
static pid_t serve(int fd, bool permitted, unsigned times)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct sp_ask_limit limit = {0};
        while (times-- > 0) {
            uint8_t byte;
            (void)recv(fd, &byte, 1, MSG_PEEK);
            (void)sp_ask_serve(fd, permitted, &limit);
        }
        _exit(0);
    }
    return pid;
}

static void with_server(bool permitted, unsigned times, void (*fn)(int fd))
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    pid_t pid = serve(ends[0], permitted, times);
    (void)close(ends[0]);
    fn(ends[1]);
    (void)close(ends[1]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static uint16_t free_port(void)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(name);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &len), 0);
    (void)close(fd);
    return ntohs(name.sin_port);
}

static void asks_for_one(int fd)
{
    struct sp_ask ask = ask_for("127.0.0.1", free_port());
    int got = -1;
    int again = -1;
    int is_listening = 0;
    socklen_t len = sizeof(is_listening);
    assert_int_equal(sp_ask_parent(fd, &ask, &got), 0);
    assert_int_equal(getsockopt(got, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &len), 0);
    assert_int_equal(is_listening, 1);
    assert_int_equal(sp_ask_parent(fd, &ask, &again), EADDRINUSE);
    (void)close(got);
    assert_int_equal(sp_ask_parent(fd, &ask, &again), 0); /* the parent kept nothing */
    (void)close(again);
    ask.proto = SP_PROTO_UDP;
    assert_int_equal(sp_ask_parent(fd, &ask, &again), EINVAL);
}

static void a_socket_is_handed_over(void **state)
{
    (void)state;
    with_server(true, 4, asks_for_one);
}

static void asks_in_vain(int fd)
{
    struct sp_ask ask = ask_for("127.0.0.1", 443);
    int got = -1;
    assert_int_equal(sp_ask_parent(fd, &ask, &got), EPERM);
}

static void without_consent_there_is_none(void **state)
{
    (void)state;
    with_server(false, 1, asks_in_vain);
    int ends[2];
    struct sp_ask ask = ask_for("127.0.0.1", 443);
    struct sp_ask_limit limit = {0};
    int got = -1;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    (void)close(ends[1]);
    assert_int_equal(sp_ask_parent(ends[0], &ask, &got), EACCES); /* nobody there */
    assert_false(sp_ask_serve(ends[0], true, &limit));
    assert_int_equal(sp_ask_parent(-1, &ask, &got), EACCES);
    (void)close(ends[0]);
}

/* An answer to a question that was given up neither answers the next one nor spoils it. */
static void late_answers_are_thrown_away(void **state)
{
    (void)state;
    int ends[2];
    uint32_t err = EADDRINUSE;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(send(ends[0], &err, sizeof(err), 0), sizeof(err));
    pid_t pid = serve(ends[0], true, 1);
    (void)close(ends[0]);
    struct sp_ask ask = ask_for("127.0.0.1", free_port());
    int got = -1;
    assert_int_equal(sp_ask_parent(ends[1], &ask, &got), 0);
    assert_true(got >= 0);
    (void)close(got);
    (void)close(ends[1]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static uint64_t fixed_us;

static uint64_t fixed(void)
{
    return fixed_us;
}

static void the_rate_is_bounded(void **state)
{
    (void)state;
    int ends[2];
    struct sp_ask_limit limit = {0};
    struct sp_ask ask = ask_for("192.0.2.1", 443); /* not ours: nothing opens */
    unsigned refused = 0;
    fixed_us = 1000000000;
    sp_clock_inject(fixed, NULL);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    for (unsigned i = 0; i < SP_ASK_BURST + 10; i++) {
        uint8_t bytes[SP_ASK_BYTES];
        uint32_t err = 0;
        fixed_us += i == SP_ASK_BURST + 5 ? SP_ASK_EVERY : 0;
        sp_ask_encode(&ask, bytes);
        assert_int_equal(send(ends[1], bytes, sizeof(bytes), 0), sizeof(bytes));
        assert_true(sp_ask_serve(ends[0], true, &limit));
        assert_int_equal(recv(ends[1], &err, sizeof(err), 0), sizeof(err));
        refused += err == EAGAIN;
    }
    sp_clock_inject(NULL, NULL);
    assert_int_equal(refused, 9);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* A held port is taken, may be held twice, accepts nothing, and is free again afterwards. No
 * privilege is needed. */
static void hold_in_child(void)
{
    static struct sp_holds holds;
    struct sp_addr me = kit_addr("127.0.0.1");
    uint16_t port = free_port();
    int fd = -1;
    if (geteuid() == 0 && (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))) {
        _exit(1);
    }
    if (sp_hold_take(&holds, &me, port, 1) || sp_hold_take(&holds, &me, port, 1) ||
        sp_tcp_listen(&me, port, 1, SP_TCP_STANDIN, &fd) != EADDRINUSE) {
        _exit(2);
    }
    struct sockaddr_in name = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    (void)connect(client, (struct sockaddr *)&name, sizeof(name));
    struct timespec pause = {.tv_nsec = 100000000};
    (void)nanosleep(&pause, NULL);
    int err = 0;
    socklen_t len = sizeof(err);
    (void)getsockopt(client, SOL_SOCKET, SO_ERROR, &err, &len);
    if (err != 0) {
        _exit(3); /* a RST came back */
    }
    (void)close(client);
    sp_hold_release(&holds, &me, port);
    if (sp_tcp_listen(&me, port, 1, SP_TCP_STANDIN, &fd) != EADDRINUSE) {
        _exit(4);
    }
    sp_hold_release(&holds, &me, port);
    if (sp_tcp_listen(&me, port, 1, SP_TCP_STANDIN, &fd) != 0 ||
        sp_hold_take(&holds, &me, port, 1) != EADDRINUSE) {
        _exit(5);
    }
    sp_hold_release(&holds, &me, port); /* never held: nothing */
    sp_tcp_close(fd, true);
    if (sp_hold_take(&holds, &me, port, 1) != 0) {
        _exit(6);
    }
    sp_holds_close(&holds);
    _exit(sp_hold_take(&holds, &me, port, 1) == 0 ? 0 : 7);
}

static void a_port_is_held_without_privilege(void **state)
{
    (void)state;
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        hold_in_child();
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_read_back),
        cmocka_unit_test(other_messages_are_refused),
        cmocka_unit_test(a_socket_is_handed_over),
        cmocka_unit_test(without_consent_there_is_none),
        cmocka_unit_test(late_answers_are_thrown_away),
        cmocka_unit_test(the_rate_is_bounded),
        cmocka_unit_test(a_port_is_held_without_privilege),
    };
    return cmocka_run_group_tests_name("ask", tests, NULL, NULL);
}
