/* SPDX-License-Identifier: Apache-2.0
 *
 * Capture, host witness, injection and netlink against a real kernel, in a network namespace of
 * the test's own: loopback, and a veth pair whose other end is the same namespace. Skipped where
 * namespaces cannot be made. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "probe/base/clock.h"
#include "probe/base/mem.h"
#include "probe/packet/capture.h"
#include "probe/packet/hostsock.h"
#include "probe/packet/inject.h"
#include "probe/packet/tag.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/packet/packet_kit.h"

static bool has_namespace;

static bool sh(const char *command)
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        (void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static int enter(void **state)
{
    (void)state;
    has_namespace =
        unshare(CLONE_NEWNET) == 0 && sh("ip link set lo up") &&
        sh("ip link add left type veth peer name right") &&
        sh("ip addr add 10.77.0.1/24 dev left && ip addr add fd77::1/64 dev left nodad") &&
        sh("ip link set left up && ip link set right up") &&
        sh("ip neigh add 10.77.0.2 lladdr 02:00:00:00:00:02 dev left nud permanent") &&
        sh("ip -6 neigh add fd77::2 lladdr 02:00:00:00:00:02 dev left nud permanent") &&
        sh("ip route add unreachable 10.99.0.0/16") &&
        sh("ip route add 10.88.0.0/16 via 10.77.0.2");
    return 0;
}

#define NEED_NAMESPACE()                                                                           \
    do {                                                                                           \
        (void)state;                                                                               \
        if (!has_namespace) {                                                                      \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

struct seen {
    struct {
        struct sp_pkt pkt;
        enum sp_direction dir;
        bool is_loopback;
        uint32_t iface;
        uint8_t payload[64];
    } at[64];
    size_t n;
};

static void on_captured(const struct sp_captured *c, void *arg)
{
    struct seen *seen = arg;
    struct sp_pkt pkt;
    if (seen->n < 64 && sp_pkt_parse(c->ip, c->len, &pkt) && pkt.ip_proto == SP_IPPROTO_UDP &&
        (pkt.dport == 7777 || pkt.dport == 7778)) {
        seen->at[seen->n].pkt = pkt;
        seen->at[seen->n].dir = c->dir;
        seen->at[seen->n].is_loopback = c->is_loopback;
        seen->at[seen->n++].iface = c->iface;
    }
}

/* Reads until so many were seen, at most two seconds. */
static void collect(struct sp_capture *capture, struct seen *seen, size_t want)
{
    uint64_t end = sp_mono_us() + 2000000;
    while (seen->n < want && sp_mono_us() < end) {
        struct pollfd p = {.fd = sp_capture_fd(capture), .events = POLLIN};
        (void)poll(&p, 1, 20);
        assert_int_equal(sp_capture_dispatch(capture, on_captured, seen, NULL), SP_OK);
    }
}

static struct sp_spec udp_spec(const char *src, const char *dst, uint16_t dport)
{
    struct sp_spec spec = {.src = kit_addr(src),
                           .dst = kit_addr(dst),
                           .ip_proto = SP_IPPROTO_UDP,
                           .ip_id = 77,
                           .sport = 40000,
                           .dport = dport,
                           .payload_len = 28};
    memcpy(spec.payload, "SGpf", 4);
    return spec;
}

static struct sp_injector *injector(bool with_link)
{
    struct sp_netinfo info;
    struct sp_injector *in = NULL;
    int fd = sp_netlink_open(NULL);
    assert_int_equal(sp_netinfo_read(fd, &info, NULL), SP_OK);
    assert_int_equal(sp_injector_open(&info, with_link, &in, NULL), SP_OK);
    sp_netinfo_release(&info);
    (void)close(fd);
    return in;
}

static void netinfo(void **state)
{
    NEED_NAMESPACE();
    struct sp_netinfo info;
    int fd = sp_netlink_open(NULL);
    assert_true(fd >= 0);
    assert_int_equal(sp_netinfo_read(fd, &info, NULL), SP_OK);
    uint32_t left = if_nametoindex("left");
    const struct sp_iface *iface = sp_netinfo_iface(&info, left);
    assert_non_null(iface);
    assert_string_equal(iface->name, "left");
    assert_true(iface->is_up && iface->is_ethernet && !iface->is_loopback && !iface->has_xdp);
    assert_int_equal(iface->mtu, 1500);
    const struct sp_iface *lo = sp_netinfo_iface(&info, 1);
    assert_non_null(lo);
    assert_true(lo->is_loopback && !lo->is_ethernet);
    assert_null(sp_netinfo_iface(&info, 9999));
    const struct {
        const char *addr;
        uint8_t len;
    } own[] = {{"10.77.0.1", 24}, {"fd77::1", 64}, {"127.0.0.1", 8}};
    for (size_t i = 0; i < 3; i++) {
        struct sp_addr addr = kit_addr(own[i].addr);
        const struct sp_own *o = sp_netinfo_find(&info, &addr);
        assert_non_null(o);
        assert_int_equal(o->prefix_len, own[i].len);
    }
    struct sp_addr other = kit_addr("10.77.0.2");
    assert_null(sp_netinfo_find(&info, &other));
    sp_netinfo_release(&info);
    for (size_t n = 1; n < 3; n++) { /* torture */
        struct sp_diag diag;
        (void)sp_mem_fail_at(n, 0);
        assert_int_equal(sp_netinfo_read(fd, &info, &diag), SP_E_NOMEM);
        (void)sp_mem_fail_at(0, 0);
    }
    (void)close(fd);
}

static void routes(void **state)
{
    NEED_NAMESPACE();
    struct sp_diag diag;
    int fd = sp_netlink_open(NULL);
    const struct {
        const char *src, *dst, *gateway;
        const char *iface; /* NULL = no route */
        bool is_local;
    } rows[] = {
        {"10.77.0.1", "10.77.0.9", NULL, "left", false},
        {"10.77.0.1", "10.88.1.1", "10.77.0.2", "left", false},
        {"10.77.0.1", "10.99.1.1", NULL, NULL, false}, /* unreachable */
        {"10.77.0.1", "10.66.1.1", NULL, NULL, false}, /* no default route */
        {"10.77.0.1", "10.77.0.1", NULL, "lo", true},
        {"fd77::1", "fd77::9", NULL, "left", false},
        {"fd77::1", "2001:db8::1", NULL, NULL, false},
        {NULL, "10.77.0.9", NULL, "left", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sp_addr src = rows[i].src ? kit_addr(rows[i].src) : (struct sp_addr){0};
        struct sp_addr dst = kit_addr(rows[i].dst);
        struct sp_route route;
        enum sp_rc rc = sp_route_get(fd, rows[i].src ? &src : NULL, &dst, &route, &diag);
        if (!rows[i].iface) {
            assert_int_equal(rc, SP_E_NOTFOUND);
            continue;
        }
        assert_int_equal(rc, SP_OK);
        assert_int_equal(route.iface, if_nametoindex(rows[i].iface));
        assert_int_equal(route.is_local, rows[i].is_local);
        struct sp_addr gateway = {0};
        if (rows[i].gateway) {
            gateway = kit_addr(rows[i].gateway);
        }
        assert_true(sp_addr_eq(&route.gateway, &gateway));
    }
    (void)close(fd);
}

static void neighbours(void **state)
{
    NEED_NAMESPACE();
    static const uint8_t want[6] = {2, 0, 0, 0, 0, 2};
    struct sp_diag diag;
    int fd = sp_netlink_open(NULL);
    uint32_t left = if_nametoindex("left");
    const char *known[] = {"10.77.0.2", "fd77::2"};
    for (size_t i = 0; i < 2; i++) {
        uint8_t mac[6] = {0};
        struct sp_addr addr = kit_addr(known[i]);
        assert_int_equal(sp_neighbour_get(fd, left, &addr, mac, &diag), SP_OK);
        assert_memory_equal(mac, want, 6);
        assert_int_equal(sp_neighbour_get(fd, if_nametoindex("right"), &addr, mac, &diag),
                         SP_E_NOTFOUND);
    }
    uint8_t mac[6];
    struct sp_addr unknown = kit_addr("10.77.0.3");
    assert_int_equal(sp_neighbour_get(fd, left, &unknown, mac, &diag), SP_E_NOTFOUND);
    (void)close(fd);
}

static void monitor(void **state)
{
    NEED_NAMESPACE();
    int fd = sp_netlink_monitor(NULL);
    assert_true(fd >= 0);
    assert_false(sp_netlink_changed(fd));
    assert_true(sh("ip addr add 10.77.0.7/24 dev left"));
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 2000), 1);
    assert_true(sp_netlink_changed(fd));
    assert_false(sp_netlink_changed(fd));
    assert_true(sh("ip addr del 10.77.0.7/24 dev left"));
    assert_int_equal(poll(&p, 1, 2000), 1);
    assert_true(sp_netlink_changed(fd));
    (void)close(fd);
}

static void loopback_is_captured_once(void **state)
{
    NEED_NAMESPACE();
    struct sp_capture *capture = NULL;
    struct seen seen = {0};
    struct sp_injector *in = injector(false);
    assert_int_equal(sp_capture_open(1U << 20, &capture, NULL), SP_OK);
    struct sp_spec spec = udp_spec("127.0.0.1", "127.0.0.1", 7777);
    assert_int_equal(sp_inject_raw(in, &spec, 0), 0); /* the filter is off */
    assert_int_equal(sp_capture_filter(capture, true, 0, 0, NULL), SP_OK);
    spec.dport = 7778;
    assert_int_equal(sp_inject_raw(in, &spec, 0), 0);
    struct sp_spec six = udp_spec("::1", "::1", 7778);
    assert_int_equal(sp_inject_raw(in, &six, 0), 0);
    collect(capture, &seen, 3);
    assert_int_equal(seen.n, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(seen.at[i].pkt.dport, 7778);
        assert_int_equal(seen.at[i].dir, SP_DIR_IN);
        assert_true(seen.at[i].is_loopback);
        assert_int_equal(seen.at[i].iface, 1);
    }
    assert_true(sp_capture_count(capture) >= 2);
    assert_int_equal(sp_capture_drops(capture), 0);
    sp_capture_free(capture);
    sp_injector_free(in);
}

/* The same packet leaves one end of the veth pair and comes in at the other, for another MAC. */
static void directions(void **state)
{
    NEED_NAMESPACE();
    struct sp_capture *capture = NULL;
    struct sp_injector *in = injector(true);
    struct ifreq right = {0};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    memcpy(right.ifr_name, "right", 6);
    assert_int_equal(ioctl(fd, SIOCGIFHWADDR, &right), 0);
    (void)close(fd);
    uint32_t left = if_nametoindex("left");
    assert_true(sp_injector_has_link(in, left));
    assert_false(sp_injector_has_link(in, 1));
    assert_int_equal(sp_capture_open(1U << 20, &capture, NULL), SP_OK);
    assert_int_equal(sp_capture_filter(capture, true, 0, 0, NULL), SP_OK);
    static const uint8_t mine[6] = {2, 0, 0, 0, 0, 9};
    static const uint8_t other[6] = {2, 0, 0, 0, 0, 2};
    for (int v6 = 0; v6 < 2; v6++) {
        for (int to_right = 0; to_right < 2; to_right++) {
            struct seen seen = {0};
            struct sp_spec spec = v6 ? udp_spec("fd77::1", "fd77::2", 7777)
                                     : udp_spec("10.77.0.1", "10.77.0.2", 7777);
            const uint8_t *mac = to_right ? (const uint8_t *)right.ifr_hwaddr.sa_data : other;
            assert_int_equal(sp_inject_link(in, &spec, left, mine, mac), 0);
            collect(capture, &seen, 2);
            assert_int_equal(seen.n, 2);
            size_t out = seen.at[0].dir == SP_DIR_OUT ? 0 : 1;
            assert_int_equal(seen.at[out].dir, SP_DIR_OUT);
            assert_int_equal(seen.at[out].iface, left);
            assert_int_equal(seen.at[1 - out].dir, to_right ? SP_DIR_IN : SP_DIR_OTHER);
            assert_int_equal(seen.at[1 - out].iface, if_nametoindex("right"));
            assert_false(seen.at[0].is_loopback);
        }
    }
    struct sp_spec spec = udp_spec("10.77.0.1", "10.77.0.2", 7777);
    assert_int_equal(sp_inject_link(in, &spec, 9999, mine, other), ENODEV);
    spec.ip_proto = SP_IPPROTO_ICMP6;
    assert_int_equal(sp_inject_link(in, &spec, left, mine, other), EINVAL);
    assert_int_equal(sp_inject_raw(in, &spec, 0), EINVAL);
    sp_capture_free(capture);
    sp_injector_free(in);
}

static void raw_refusals_are_told(void **state)
{
    NEED_NAMESPACE();
    struct sp_injector *in = injector(false);
    struct sp_spec spec = udp_spec("10.77.0.1", "10.66.0.1", 7777);
    assert_int_equal(sp_inject_raw(in, &spec, 0), ENETUNREACH);
    if (sh("nft add table inet t && nft 'add chain inet t o { type filter hook output priority 0; }' "
           "&& nft add rule inet t o udp dport 7779 drop")) {
        spec = udp_spec("10.77.0.1", "10.77.0.2", 7779);
        assert_int_equal(sp_inject_raw(in, &spec, 0), EPERM); /* the host's own OUTPUT policy */
        assert_true(sh("nft delete table inet t"));
    }
    sp_injector_free(in);
}

/* Waits until nothing more comes: the port unreachable that a datagram draws may be late. */
static uint64_t settled(struct sp_capture *capture, struct seen *seen)
{
    uint64_t count = UINT64_MAX;
    for (int quiet = 0, i = 0; quiet < 3 && i < 60; i++) {
        struct timespec pause = {.tv_nsec = 40000000};
        (void)nanosleep(&pause, NULL);
        assert_int_equal(sp_capture_dispatch(capture, on_captured, seen, NULL), SP_OK);
        quiet = sp_capture_count(capture) == count ? quiet + 1 : 0;
        count = sp_capture_count(capture);
    }
    return count;
}

/* Plain TCP data does not pass the filter; SYN and RST do. */
static void filter_lets_syn_and_rst_through(void **state)
{
    NEED_NAMESPACE();
    struct sp_capture *capture = NULL;
    struct sp_injector *in = injector(false);
    assert_int_equal(sp_capture_open(1U << 20, &capture, NULL), SP_OK);
    assert_int_equal(sp_capture_filter(capture, true, 0, 0, NULL), SP_OK);
    const char *self[] = {"10.77.0.1", "fd77::1"};
    for (int v6 = 0; v6 < 2; v6++) {
        struct sp_spec spec = udp_spec(self[v6], self[v6], 7777);
        struct seen seen = {0};
        uint64_t before = sp_capture_count(capture);
        spec.ip_proto = SP_IPPROTO_TCP;
        spec.payload_len = 0;
        spec.tcp_flags = SP_TCP_FIN | SP_TCP_PSH | SP_TCP_URG; /* answered by nothing on lo */
        assert_int_equal(sp_inject_raw(in, &spec, 0), 0);
        spec.ip_proto = SP_IPPROTO_UDP;
        assert_int_equal(sp_inject_raw(in, &spec, 0), 0);
        collect(capture, &seen, 1);
        uint64_t plain = settled(capture, &seen) - before;
        spec.ip_proto = SP_IPPROTO_TCP;
        spec.tcp_flags = SP_TCP_SYN;
        assert_int_equal(sp_inject_raw(in, &spec, 0), 0); /* answered by a RST: two packets */
        uint64_t end = sp_mono_us() + 2000000;
        while (sp_capture_count(capture) - before < plain + 2 && sp_mono_us() < end) {
            collect(capture, &seen, 0);
            assert_int_equal(sp_capture_dispatch(capture, on_captured, &seen, NULL), SP_OK);
        }
        /* What the kernel says of itself over IPv6 may come on top. */
        assert_true(sp_capture_count(capture) - before >= plain + 2);
    }
    sp_capture_free(capture);
    sp_injector_free(in);
}

static void capture_out_of_memory(void **state)
{
    NEED_NAMESPACE();
    struct sp_capture *capture = NULL;
    struct sp_injector *in = NULL;
    struct sp_diag diag;
    const struct sp_netinfo none = {0};
    (void)sp_mem_fail_at(1, 0);
    assert_int_equal(sp_capture_open(1U << 20, &capture, &diag), SP_E_NOMEM);
    for (size_t n = 1; n < 3; n++) {
        (void)sp_mem_fail_at(n, 0);
        assert_int_equal(sp_injector_open(&none, true, &in, &diag), SP_E_NOMEM);
    }
    (void)sp_mem_fail_at(0, 0);
    assert_int_not_equal(sp_softnet_drops(), UINT64_MAX);
}

/* A flood that nobody reads is told as drops: absence proves nothing then. */
static void unread_packets_are_counted_as_drops(void **state)
{
    NEED_NAMESPACE();
    struct sp_capture *capture = NULL;
    struct sp_hostsock socks[SP_HOSTSOCKS];
    struct sp_injector *in = injector(false);
    assert_int_equal(sp_capture_open(65536, &capture, NULL), SP_OK);
    assert_int_equal(sp_hostsocks_open(socks, NULL), SP_OK);
    assert_int_equal(sp_capture_filter(capture, true, 0, 0, NULL), SP_OK);
    struct sp_spec spec = udp_spec("127.0.0.1", "127.0.0.1", 7777);
    for (int i = 0; i < 3000; i++) {
        assert_int_equal(sp_inject_raw(in, &spec, 0), 0);
    }
    /* The sockets' filter is off: what it rejects is not a drop. */
    assert_int_equal(sp_hostsocks_drops(socks), 0);
    assert_int_equal(sp_hostsocks_filter(socks, true, NULL), SP_OK);
    for (int i = 0; i < 24000; i++) {
        assert_int_equal(sp_inject_raw(in, &spec, 0), 0);
    }
    assert_true(sp_capture_drops(capture) > 0);
    assert_true(sp_hostsocks_drops(socks) > 0);
    assert_int_not_equal(sp_hostsocks_drops(socks), UINT64_MAX);
    sp_hostsocks_close(socks);
    assert_int_equal(sp_hostsocks_drops(socks), 0);
    sp_capture_free(capture);
    sp_injector_free(in);
}

struct heard {
    struct sp_pkt pkt;
    uint32_t iface;
    size_t n;
};

static void on_host(const struct sp_pkt *pkt, uint32_t iface, void *arg)
{
    struct heard *heard = arg;
    heard->pkt = *pkt;
    heard->iface = iface;
    heard->n++;
}

static size_t listen_to(const struct sp_hostsock *socks, uint8_t family, uint8_t proto,
                        struct heard *heard)
{
    memset(heard, 0, sizeof(*heard));
    for (int i = 0; i < SP_HOSTSOCKS; i++) {
        if (socks[i].family == family && socks[i].ip_proto == proto) {
            sp_hostsock_read(&socks[i], on_host, heard);
        }
    }
    return heard->n;
}

/* The host witness hears what the INPUT rules accept, with a tag, with no listener anywhere. */
static void host_witness(void **state)
{
    NEED_NAMESPACE();
    struct sp_hostsock socks[SP_HOSTSOCKS];
    struct heard heard;
    struct sp_injector *in = injector(false);
    bool nft =
        sh("nft add table inet t && nft 'add chain inet t i { type filter hook input priority "
           "0; }' && nft add rule inet t i udp dport 7778 drop");
    assert_int_equal(sp_hostsocks_open(socks, NULL), SP_OK);
    for (int v6 = 0; v6 < 2; v6++) {
        const char *self = v6 ? "fd77::1" : "10.77.0.1";
        uint8_t family = v6 ? SP_FAMILY_IPV6 : SP_FAMILY_IPV4;
        struct sp_spec spec = udp_spec(self, self, 7777);
        assert_int_equal(sp_inject_raw(in, &spec, 0), 0);
        assert_int_equal(listen_to(socks, family, 17, &heard), 0); /* the filter is off */
        assert_int_equal(sp_hostsocks_filter(socks, true, NULL), SP_OK);
        assert_int_equal(sp_inject_raw(in, &spec, 0), 0);
        assert_int_equal(listen_to(socks, family, 17, &heard), 1);
        assert_int_equal(heard.pkt.dport, 7777);
        assert_int_equal(heard.pkt.sport, 40000);
        assert_int_equal(heard.pkt.ttl, 64);
        assert_true(sp_addr_eq(&heard.pkt.src, &spec.src));
        assert_true(sp_addr_eq(&heard.pkt.dst, &spec.dst));
        assert_int_not_equal(heard.iface, 0);
        memcpy(spec.payload, "SGpg", 4); /* no tag */
        assert_int_equal(sp_inject_raw(in, &spec, 0), 0);
        assert_int_equal(listen_to(socks, family, 17, &heard), 0);
        memcpy(spec.payload, "SGpf", 4);
        spec.dport = 7778; /* dropped by the host's firewall */
        assert_int_equal(sp_inject_raw(in, &spec, 0), 0);
        assert_int_equal(listen_to(socks, family, 17, &heard), nft ? 0 : 1);
        spec.ip_proto = SP_IPPROTO_TCP;
        spec.payload_len = 0;
        spec.tcp_options = true;
        spec.tcp_flags = SP_TCP_SYN;
        assert_int_equal(sp_inject_raw(in, &spec, 0), 0);
        assert_int_equal(listen_to(socks, family, 6, &heard), 1); /* not the RST that answers */
        assert_int_equal(heard.pkt.tcp_flags, SP_TCP_SYN);
        assert_true(heard.pkt.has_timestamps);
        spec.ip_proto = v6 ? SP_IPPROTO_ICMP6 : SP_IPPROTO_ICMP;
        spec.icmp_type = v6 ? SP_ICMP6_ECHO : SP_ICMP_ECHO;
        spec.payload_len = 28;
        assert_int_equal(sp_inject_raw(in, &spec, 0), 0);
        assert_true(listen_to(socks, family, spec.ip_proto, &heard) >= 1);
        assert_int_equal(sp_hostsocks_filter(socks, false, NULL), SP_OK);
    }
    if (nft) {
        assert_true(sh("nft delete table inet t"));
    }
    sp_hostsocks_close(socks);
    sp_hostsocks_close(socks);
    sp_injector_free(in);
}

struct lengths {
    size_t udp, tagged, plain, answered;
};

static void on_length(const struct sp_captured *c, void *arg)
{
    struct lengths *got = arg;
    struct sp_pkt pkt;
    if (c->dir != SP_DIR_OUT || !sp_pkt_parse(c->ip, c->len, &pkt)) {
        return;
    }
    if (pkt.ip_proto == SP_IPPROTO_UDP && pkt.dport == 7777) {
        got->udp = c->len;
    } else if (pkt.ip_proto == SP_IPPROTO_TCP && pkt.dport == 7801) {
        got->tagged = c->len;
    } else if (pkt.ip_proto == SP_IPPROTO_TCP && pkt.dport == 7802) {
        got->plain = c->len;
    } else if (pkt.ip_proto == SP_IPPROTO_TCP && pkt.dport == 40005) {
        got->answered = c->len;
    }
}

/* TCP data that may carry a tag, or answers a conversation, passes and is kept longer; the rest is
 * cut as short as ever, and other TCP data costs nothing. */
static void data_is_kept_longer(void **state)
{
    NEED_NAMESPACE();
    static const char *const ends[2][2] = {{"10.77.0.1", "10.77.0.2"}, {"fd77::1", "fd77::2"}};
    static const uint16_t ports[] = {7802, 40005, 7801};
    struct sp_injector *in = injector(false);
    for (size_t v6 = 0; v6 < 2; v6++) {
        struct lengths got = {0};
        struct sp_capture *capture = NULL;
        size_t header = v6 ? 40 : 20;
        assert_int_equal(sp_capture_open(SP_CAPTURE_BUFFER, &capture, NULL), SP_OK);
        assert_int_equal(sp_capture_filter(capture, true, 40000, 40010, NULL), SP_OK);
        struct sp_spec spec = udp_spec(ends[v6][0], ends[v6][1], 7777);
        spec.payload_len = sizeof(spec.payload);
        assert_int_equal(sp_inject_raw(in, &spec, 0), 0);
        spec.ip_proto = SP_IPPROTO_TCP;
        spec.tcp_flags = SP_TCP_ACK;
        spec.tcp_timestamps = true;
        for (size_t i = 0; i < 3; i++) {
            spec.dport = ports[i];
            spec.payload[0] = i == 2 ? 'S' : 'x';
            assert_int_equal(sp_inject_raw(in, &spec, 0), 0);
        }
        uint64_t end = sp_mono_us() + 2000000;
        while (got.tagged == 0 && sp_mono_us() < end) {
            struct pollfd p = {.fd = sp_capture_fd(capture), .events = POLLIN};
            (void)poll(&p, 1, 20);
            assert_int_equal(sp_capture_dispatch(capture, on_length, &got, NULL), SP_OK);
        }
        assert_int_equal(got.udp, SP_CAPTURE_SNAPLEN);
        assert_int_equal(got.tagged, header + 32 + sizeof(spec.payload));
        assert_int_equal(got.answered, header + 32 + sizeof(spec.payload));
        assert_int_equal(got.plain, 0);
        sp_capture_free(capture);
    }
    sp_injector_free(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(netinfo),
        cmocka_unit_test(routes),
        cmocka_unit_test(neighbours),
        cmocka_unit_test(monitor),
        cmocka_unit_test(loopback_is_captured_once),
        cmocka_unit_test(directions),
        cmocka_unit_test(raw_refusals_are_told),
        cmocka_unit_test(filter_lets_syn_and_rst_through),
        cmocka_unit_test(capture_out_of_memory),
        cmocka_unit_test(host_witness),
        cmocka_unit_test(unread_packets_are_counted_as_drops),
        cmocka_unit_test(data_is_kept_longer),
    };
    return cmocka_run_group_tests_name("netns", tests, enter, NULL);
}
