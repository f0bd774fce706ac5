/* SPDX-License-Identifier: Apache-2.0
 *
 * A bare blaster: what a path takes when nobody thinks. One template packet (a SYN with the options
 * of any Linux SYN, or a datagram of 24 bytes), of which only the destination port and the checksum
 * are patched (RFC 1624), in batches of 64 by sendmmsg() on a packet socket; no capture, no
 * control, no tag, no order of ports. Whatever sweeps is measured against it, in the same run, on
 * the same path.
 *
 *   blast IFACE SRC SPORT DST MAC tcp|udp FIRST LAST PACKETS PPS [mixed]
 *
 * Ports FIRST to LAST in turn, or mixed up, as a sweep sends them: what a path does for a packet is
 * quicker beside its neighbours. PPS 0 = no pacing. It prints {"sent", "failed", "seconds", "pps"}.
 *
 * What "pps" is: packets that the path has *consumed* a second. On veth a packet stays charged to
 * the sender's SO_SNDBUF (left at its default) until a firewall dropped it or the far end took it,
 * so sendmmsg() blocks while the path is busy, and the clock stops only when nothing is outstanding
 * (SIOCOUTQ). On a path that drops, this is how fast it drops; on one that forwards, compare it
 * with what the far interface counted: a queue behind the charge (RPS) may lose packets unseen. Not
 * for hardware: there the charge ends at the driver. Ends after 60 s in any case. */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "probe/base/addr.h"
#include "probe/base/clock.h"
#include "probe/base/str.h"

#define SP_BLAST_BATCH   64U
#define SP_BLAST_LIMIT   60000000U /* microseconds */
#define SP_BLAST_PAYLOAD 24U
#define SP_BLAST_STRIDE  40503U /* a prime: every port once in each round of any range */

struct blast {
    struct sp_addr src, dst;
    uint8_t mac[6], own_mac[6];
    uint64_t sport, first, last, packets, pps, stride;
    bool is_udp;
    int fd;
    uint8_t frames[SP_BLAST_BATCH][128];
    size_t len, l4; /* of a frame; where its transport header begins */
    uint32_t sum;   /* of the transport header with port and checksum 0, not folded */
};

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static uint32_t add_up(uint32_t sum, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
    }
    return sum;
}

static uint16_t fold(uint32_t sum)
{
    while (sum > 0xffff) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)~sum;
}

/* The transport header and payload at `at`, ports and checksum left out but the source port. */
static size_t make_transport(const struct blast *blast, uint8_t *at)
{
    static const uint8_t options[20] = {2, 4, 5, 180, 4, 2, 8, 10, 0, 0,
                                        0, 1, 0, 0,   0, 0, 1, 3,  3, 7};
    put16(at, (uint32_t)blast->sport);
    if (blast->is_udp) {
        put16(at + 4, 8 + SP_BLAST_PAYLOAD);
        return 8 + SP_BLAST_PAYLOAD;
    }
    at[4] = 1;             /* sequence number */
    at[12] = 10 << 4;      /* 40 bytes */
    at[13] = 2;            /* SYN */
    put16(at + 14, 64240); /* window */
    memcpy(at + 20, options, sizeof(options));
    return 20 + sizeof(options);
}

static void make_template(struct blast *blast)
{
    uint8_t *frame = blast->frames[0];
    bool is_v4 = blast->src.family == SP_FAMILY_IPV4;
    uint8_t proto = blast->is_udp ? 17 : 6;
    blast->l4 = ETH_HLEN + (is_v4 ? 20U : 40U);
    memcpy(frame, blast->mac, 6);
    memcpy(frame + 6, blast->own_mac, 6);
    put16(frame + 12, is_v4 ? ETH_P_IP : ETH_P_IPV6);
    uint8_t *ip = frame + ETH_HLEN;
    size_t body = make_transport(blast, frame + blast->l4);
    size_t bytes = sp_addr_len(&blast->src);
    uint8_t *addrs = ip + (is_v4 ? 12 : 8);
    memcpy(addrs, blast->src.bytes, bytes);
    memcpy(addrs + bytes, blast->dst.bytes, bytes);
    if (is_v4) {
        ip[0] = 0x45;
        put16(ip + 2, (uint32_t)(20 + body));
        ip[6] = 0x40; /* do not fragment */
        ip[8] = 64;
        ip[9] = proto;
        put16(ip + 10, fold(add_up(0, ip, 20)));
    } else {
        ip[0] = 0x60;
        put16(ip + 4, (uint32_t)body);
        ip[6] = proto;
        ip[7] = 64;
    }
    blast->sum = add_up(add_up(proto + (uint32_t)body, addrs, 2 * bytes), frame + blast->l4, body);
    blast->len = blast->l4 + body;
    for (size_t i = 1; i < SP_BLAST_BATCH; i++) {
        memcpy(blast->frames[i], frame, blast->len);
    }
}

static void patch(struct blast *blast, uint8_t *frame, uint32_t port)
{
    uint16_t checksum = fold(blast->sum + port);
    put16(frame + blast->l4 + 2, port);
    put16(frame + blast->l4 + (blast->is_udp ? 6 : 16),
          blast->is_udp && checksum == 0 ? 0xffff : checksum);
}

static bool open_socket(struct blast *blast, const char *iface)
{
    struct ifreq request = {0};
    struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(iface)};
    (void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", iface);
    blast->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0); /* protocol 0: it receives nothing */
    if (blast->fd < 0 || at.sll_ifindex == 0 || ioctl(blast->fd, SIOCGIFHWADDR, &request) != 0 ||
        bind(blast->fd, (const struct sockaddr *)&at, sizeof(at)) != 0) {
        return false;
    }
    memcpy(blast->own_mac, request.ifr_hwaddr.sa_data, sizeof(blast->own_mac));
    return true;
}

static void wait_for_turn(const struct blast *blast, uint64_t start, uint64_t sent)
{
    uint64_t due = start + sent * 1000000U / blast->pps, now = sp_mono_us();
    if (due > now) {
        struct timespec wait = {.tv_sec = (time_t)((due - now) / 1000000U),
                                .tv_nsec = (long)((due - now) % 1000000U * 1000U)};
        (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &wait, NULL);
    }
}

static void run(struct blast *blast)
{
    struct iovec iov[SP_BLAST_BATCH];
    struct mmsghdr messages[SP_BLAST_BATCH] = {0};
    for (size_t i = 0; i < SP_BLAST_BATCH; i++) {
        iov[i] = (struct iovec){.iov_base = blast->frames[i], .iov_len = blast->len};
        messages[i].msg_hdr.msg_iov = &iov[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    uint64_t batch = SP_BLAST_BATCH, sent = 0, failed = 0, start = sp_mono_us(), now = start;
    if (blast->pps > 0 && blast->pps / 1000 < batch) {
        batch = blast->pps / 1000 > 0 ? blast->pps / 1000 : 1;
    }
    while (sent + failed < blast->packets && now - start < SP_BLAST_LIMIT) {
        uint64_t left = blast->packets - sent - failed, n = left < batch ? left : batch;
        if (blast->pps > 0) {
            wait_for_turn(blast, start, sent);
        }
        for (uint64_t i = 0; i < n; i++) {
            uint64_t port = (sent + i) * blast->stride % (blast->last - blast->first + 1);
            patch(blast, blast->frames[i], (uint32_t)(blast->first + port));
        }
        int done = sendmmsg(blast->fd, messages, (unsigned)n, 0);
        if (done > 0) {
            sent += (uint64_t)done;
        } else if (errno != EINTR) {
            failed++;
        }
        now = sp_mono_us();
    }
    int outstanding = 1;
    while (outstanding > 0 && now - start < SP_BLAST_LIMIT &&
           ioctl(blast->fd, SIOCOUTQ, &outstanding) == 0) {
        now = sp_mono_us();
    }
    double seconds = (double)(now - start) / 1e6;
    printf("{\"sent\": %llu, \"failed\": %llu, \"seconds\": %.6f, \"pps\": %.0f}\n",
           (unsigned long long)sent, (unsigned long long)failed, seconds, (double)sent / seconds);
}

static bool parse_mac(const char *text, uint8_t mac[static 6])
{
    unsigned at[6];
    if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x", &at[0], &at[1], &at[2], &at[3], &at[4], &at[5]) !=
        6) {
        return false;
    }
    for (size_t i = 0; i < 6; i++) {
        mac[i] = (uint8_t)at[i];
    }
    return true;
}

int main(int argc, char **argv)
{
    static struct blast blast;
    if (argc < 11 || argc > 12 || sp_addr_parse(argv[2], &blast.src) != SP_OK ||
        sp_parse_uint(argv[3], 65535, &blast.sport) != SP_OK ||
        sp_addr_parse(argv[4], &blast.dst) != SP_OK || blast.src.family != blast.dst.family ||
        !parse_mac(argv[5], blast.mac) ||
        (strcmp(argv[6], "tcp") != 0 && strcmp(argv[6], "udp") != 0) ||
        sp_parse_uint(argv[7], 65535, &blast.first) != SP_OK ||
        sp_parse_uint(argv[8], 65535, &blast.last) != SP_OK || blast.first > blast.last ||
        sp_parse_uint(argv[9], 1000000000, &blast.packets) != SP_OK ||
        sp_parse_uint(argv[10], 1000000000, &blast.pps) != SP_OK ||
        (argc == 12 && strcmp(argv[11], "mixed") != 0)) {
        (void)fputs("usage: blast IFACE SRC SPORT DST MAC tcp|udp FIRST LAST PACKETS PPS [mixed]\n",
                    stderr);
        return 2;
    }
    blast.stride = argc == 12 ? SP_BLAST_STRIDE : 1;
    blast.is_udp = strcmp(argv[6], "udp") == 0;
    if (!open_socket(&blast, argv[1])) {
        perror(argv[1]);
        return 2;
    }
    make_template(&blast);
    run(&blast);
    return 0;
}
