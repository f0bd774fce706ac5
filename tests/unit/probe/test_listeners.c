/* SPDX-License-Identifier: Apache-2.0
 *
 * Listeners as the kernel lists them: golden lines, every truncation, and this process's own. */
#include "probe/listeners.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe/base/proto.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/packet/packet_kit.h"

#define TAIL   " 00000000:00000000 00:00000000 00000000     0        0 24817 1 0000000000000000\n"
#define ZERO32 "00000000000000000000000000000000"

static const struct {
    const char *line, *addr; /* addr NULL: no listener */
    uint8_t proto, family;
    uint16_t port;
} rows[] = {
    {"   0: 0100007F:0035 00000000:0000 0A" TAIL, "127.0.0.1", SP_PROTO_TCP, SP_FAMILY_IPV4, 53},
    {"  12: 00000000:1F90 00000000:0000 0A" TAIL, "0.0.0.0", SP_PROTO_TCP, SP_FAMILY_IPV4, 8080},
    {"   1: 0100007F:0035 0100007F:9C41 01" TAIL, NULL, SP_PROTO_TCP, SP_FAMILY_IPV4, 0},
    {"   1: 0100007F:0035 00000000:0000 07" TAIL, NULL, SP_PROTO_TCP, SP_FAMILY_IPV4, 0},
    {"   1: 0100007F:0035 00000000:0000 07" TAIL, "127.0.0.1", SP_PROTO_UDP, SP_FAMILY_IPV4, 53},
    {"   1: 0100007F:0035 0100007F:9C41 01" TAIL, NULL, SP_PROTO_UDP, SP_FAMILY_IPV4, 0},
    {"   1: " ZERO32 ":0016 " ZERO32 ":0000 0A" TAIL, "::", SP_PROTO_TCP, SP_FAMILY_IPV6, 22},
    {"   1: B80D0120000000000000000001000000:FFFF " ZERO32 ":0000 07" TAIL, "2001:db8::1",
     SP_PROTO_UDP, SP_FAMILY_IPV6, 65535},
    /* not such lines */
    {"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when", NULL, SP_PROTO_TCP,
     SP_FAMILY_IPV4, 0},
    {"", NULL, SP_PROTO_TCP, SP_FAMILY_IPV4, 0},
    {"   0:0100007F:0035 00000000:0000 0A" TAIL, NULL, SP_PROTO_TCP, SP_FAMILY_IPV4, 0},
    {"   0: 0100007G:0035 00000000:0000 0A" TAIL, NULL, SP_PROTO_TCP, SP_FAMILY_IPV4, 0},
    {"   0: 0100007F:003 00000000:0000 0A" TAIL, NULL, SP_PROTO_TCP, SP_FAMILY_IPV4, 0},
    {"   0: 0100007F-0035 00000000:0000 0A" TAIL, NULL, SP_PROTO_TCP, SP_FAMILY_IPV4, 0},
    {"   0: 0100007F:0035 00000000-0000 0A" TAIL, NULL, SP_PROTO_TCP, SP_FAMILY_IPV4, 0},
    {"   0: 0100007F:0035 00000000:0000 0A" TAIL, NULL, SP_PROTO_TCP, SP_FAMILY_IPV6, 0},
    {"   0: 0100007f:0035 00000000:0000 0a" TAIL, "127.0.0.1", SP_PROTO_TCP, SP_FAMILY_IPV4, 53},
};

static void lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sp_listener_seen seen;
        bool ok = sp_listener_parse(rows[i].line, rows[i].proto, rows[i].family, &seen);
        assert_int_equal(ok, rows[i].addr != NULL);
        if (ok) {
            struct sp_addr want = kit_addr(rows[i].addr);
            assert_true(sp_addr_eq(&seen.addr, &want));
            assert_int_equal(seen.port, rows[i].port);
            assert_int_equal(seen.proto, rows[i].proto);
        }
    }
}

static void every_truncation(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t len = 0; len < strlen(rows[i].line); len++) {
            char cut[256];
            struct sp_listener_seen seen;
            memcpy(cut, rows[i].line, len);
            cut[len] = '\0';
            bool ok = sp_listener_parse(cut, rows[i].proto, rows[i].family, &seen);
            size_t whole = strlen(rows[i].line) - strlen(TAIL);
            assert_int_equal(ok, rows[i].addr != NULL && len >= whole);
        }
    }
}

struct wanted {
    struct sp_addr addr;
    uint16_t port;
    uint8_t proto;
    size_t found;
};

static void look(const struct sp_listener_seen *seen, void *arg)
{
    struct wanted *w = arg;
    w->found +=
        seen->proto == w->proto && seen->port == w->port && sp_addr_eq(&seen->addr, &w->addr);
}

static void own_listeners(void **state)
{
    (void)state;
    for (int udp = 0; udp < 2; udp++) {
        struct sockaddr_in at = {.sin_family = AF_INET};
        socklen_t len = sizeof(at);
        struct wanted w = {.addr = kit_addr("127.0.0.1"),
                           .proto = udp ? SP_PROTO_UDP : SP_PROTO_TCP};
        int fd = socket(AF_INET, udp ? SOCK_DGRAM : SOCK_STREAM, 0);
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        assert_true(fd >= 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
        w.port = ntohs(at.sin_port);
        if (!udp) {
            sp_listeners_read(look, &w);
            assert_int_equal(w.found, 0); /* bound is not listening */
            assert_int_equal(listen(fd, 1), 0);
        }
        sp_listeners_read(look, &w);
        assert_int_equal(w.found, 1);
        (void)close(fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        cmocka_unit_test(every_truncation),
        cmocka_unit_test(own_listeners),
    };
    return cmocka_run_group_tests_name("listeners", tests, NULL, NULL);
}
