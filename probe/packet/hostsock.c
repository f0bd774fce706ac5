/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/packet/hostsock.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe/base/ipproto.h"
#include "probe/packet/icmpform.h"
#include "probe/packet/ipform.h"
#include "probe/packet/sctpform.h"
#include "probe/packet/tag.h"

static const struct sp_hostsock kinds[] = {
    {-1, SP_FAMILY_IPV4, SP_IPPROTO_TCP},  {-1, SP_FAMILY_IPV4, SP_IPPROTO_UDP},
    {-1, SP_FAMILY_IPV4, SP_IPPROTO_ICMP}, {-1, SP_FAMILY_IPV6, SP_IPPROTO_TCP},
    {-1, SP_FAMILY_IPV6, SP_IPPROTO_UDP},  {-1, SP_FAMILY_IPV6, SP_IPPROTO_ICMP6},
    {-1, SP_FAMILY_IPV4, SP_IPPROTO_SCTP}, {-1, SP_FAMILY_IPV6, SP_IPPROTO_SCTP},
};
/* Of SCTP the tag of a COOKIE ECHO or of an INIT. */
static const uint8_t sctp_tags[SP_ICMPFORM_TAGS] = {SP_SCTP_TAG_COOKIE, SP_SCTP_TAG_INIT,
                                                    SP_SCTP_TAG_INIT, SP_SCTP_TAG_INIT};

static void list_kinds(struct sp_hostsock socks[static SP_HOSTSOCKS])
{
    size_t n;
    const uint8_t *protos = sp_ip_witnessed(&n);
    size_t at = SP_ARRAY_LEN(kinds);
    memcpy(socks, kinds, sizeof(kinds));
    for (size_t i = 0; i < n && at + 1 < SP_HOSTSOCKS; i++) {
        socks[at++] = (struct sp_hostsock){-1, SP_FAMILY_IPV4, protos[i]};
        socks[at++] = (struct sp_hostsock){-1, SP_FAMILY_IPV6, protos[i]};
    }
    for (; at < SP_HOSTSOCKS; at++) {
        socks[at] = (struct sp_hostsock){.fd = -1};
    }
}

#define SP_HOST_SNAPLEN 768U
#define SP_HOST_BATCH   32   /* packets by one system call */
#define SP_HOST_AT_ONCE 1024 /* before others have their turn */

/* X is where TCP data begins: its first word is the tag's magic, "GET ", "PROX", or the signature
 * of a version 2 PROXY header. Without four bytes of data the load itself ends the program. */
#define SP_DATA_TAIL                                                                               \
    BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0),                                                         \
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SP_TAG_MAGIC, 4, 0),                                   \
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x47455420, 3, 0),                                     \
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x50524f58, 2, 0),                                     \
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x0d0a0d0a, 1, 0), BPF_STMT(BPF_RET | BPF_K, 0),       \
        BPF_STMT(BPF_RET | BPF_K, SP_HOST_SNAPLEN)

/* Passes a segment of no connection by the numbers in its header (techniques/segment.h), whose
 * first word is loaded as LOAD says; M[0] = the sequence number, and X is gone afterwards. Of a
 * segment that is too short for options a load ends the program: it has no data, either. */
#define SP_MARK(LOAD)                                                                              \
    BPF_STMT(BPF_LD | BPF_W | (LOAD), 4), BPF_STMT(BPF_ST, 0),                                     \
        BPF_STMT(BPF_LD | BPF_W | (LOAD), 20), BPF_STMT(BPF_ST, 1),                                \
        BPF_STMT(BPF_LD | BPF_W | (LOAD), 8), BPF_STMT(BPF_LDX | BPF_W | BPF_MEM, 0),              \
        BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),                                                    \
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SP_TAG_MAGIC, 0, 1),                                   \
        BPF_STMT(BPF_RET | BPF_K, SP_HOST_SNAPLEN)
/* The same by TSecr, where M[1] is the head of the options NOP, NOP, timestamps. */
#define SP_MARK_ECR(LOAD)                                                                          \
    BPF_STMT(BPF_LD | BPF_W | BPF_MEM, 1), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x0101080a, 0, 5),  \
        BPF_STMT(BPF_LD | BPF_W | (LOAD), 28), BPF_STMT(BPF_LDX | BPF_W | BPF_MEM, 0),             \
        BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),                                                    \
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SP_TAG_MAGIC, 0, 1),                                   \
        BPF_STMT(BPF_RET | BPF_K, SP_HOST_SNAPLEN)
#define SP_HEADER_TO_X BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0)

static enum sp_rc open_one(struct sp_hostsock *sock, struct sp_diag *diag)
{
    int af = sock->family == SP_FAMILY_IPV4 ? AF_INET : AF_INET6;
    int on = 1;
    int room = 4 << 20; /* tens of milliseconds of the fastest sweep; only used while it is full */
    sock->fd = socket(af, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, sock->ip_proto);
    if (sock->fd < 0) {
        if (af == AF_INET6 && errno == EAFNOSUPPORT) {
            return SP_OK;
        }
        enum sp_rc rc = errno == EPERM || errno == EACCES ? SP_E_DENIED : SP_E_SYSTEM;
        (void)sp_fail_errno(diag, "host witness", "cannot open a raw socket");
        return rc;
    }
    if (setsockopt(sock->fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) != 0) {
        (void)setsockopt(sock->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    }
    if (af == AF_INET && setsockopt(sock->fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) != 0) {
        return sp_fail_errno(diag, "host witness", "cannot ask for packet information");
    }
    if (af == AF_INET6 &&
        (setsockopt(sock->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) != 0 ||
         setsockopt(sock->fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &on, sizeof(on)) != 0)) {
        return sp_fail_errno(diag, "host witness", "cannot ask for packet information");
    }
    return SP_OK;
}

enum sp_rc sp_hostsocks_open(struct sp_hostsock socks[static SP_HOSTSOCKS], struct sp_diag *diag)
{
    list_kinds(socks);
    for (int i = 0; i < SP_HOSTSOCKS; i++) {
        enum sp_rc rc = open_one(&socks[i], diag);
        if (rc != SP_OK) {
            sp_hostsocks_close(socks);
            return rc;
        }
    }
    enum sp_rc rc = sp_hostsocks_filter(socks, false, diag);
    if (rc != SP_OK) {
        sp_hostsocks_close(socks);
    }
    return rc;
}

void sp_hostsocks_close(struct sp_hostsock socks[static SP_HOSTSOCKS])
{
    for (int i = 0; i < SP_HOSTSOCKS; i++) {
        if (socks[i].fd >= 0) {
            (void)close(socks[i].fd);
            socks[i].fd = -1;
        }
    }
}

enum sp_rc sp_hostsocks_filter(const struct sp_hostsock socks[static SP_HOSTSOCKS], bool on,
                               struct sp_diag *diag)
{
    /* An IPv4 raw socket hands the IP header over, so X = its length; an IPv6 one starts at the
     * transport header. */
    struct sock_filter drop[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
    struct sock_filter tcp4[] = {BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
                                 BPF_STMT(BPF_LD | BPF_B | BPF_IND, 13),
                                 BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, SP_TCP_SYN, 0, 1),
                                 BPF_STMT(BPF_RET | BPF_K, SP_HOST_SNAPLEN),
                                 SP_MARK(BPF_IND),
                                 SP_HEADER_TO_X,
                                 SP_MARK_ECR(BPF_IND),
                                 SP_HEADER_TO_X,
                                 BPF_STMT(BPF_LD | BPF_B | BPF_IND, 12),
                                 BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 2),
                                 BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x3c),
                                 BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),
                                 BPF_STMT(BPF_MISC | BPF_TAX, 0),
                                 SP_DATA_TAIL};
    struct sock_filter tcp6[] = {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),
                                 BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, SP_TCP_SYN, 0, 1),
                                 BPF_STMT(BPF_RET | BPF_K, SP_HOST_SNAPLEN),
                                 SP_MARK(BPF_ABS),
                                 SP_MARK_ECR(BPF_ABS),
                                 BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 12),
                                 BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 2),
                                 BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x3c),
                                 BPF_STMT(BPF_MISC | BPF_TAX, 0),
                                 SP_DATA_TAIL};
    struct sock_filter tag4[] = {BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
                                 BPF_STMT(BPF_LD | BPF_W | BPF_IND, 8),
                                 BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SP_TAG_MAGIC, 0, 1),
                                 BPF_STMT(BPF_RET | BPF_K, 256), BPF_STMT(BPF_RET | BPF_K, 0)};
    struct sock_filter tag6[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 8),
                                 BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SP_TAG_MAGIC, 0, 1),
                                 BPF_STMT(BPF_RET | BPF_K, 256), BPF_STMT(BPF_RET | BPF_K, 0)};
    /* Wherever a tag may stand (packet/icmpform.h), the nearest first: a load past the end rejects.
     */
    struct sock_filter icmp[] = {BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
                                 BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0),
                                 BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SP_TAG_MAGIC, 6, 0),
                                 BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0),
                                 BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SP_TAG_MAGIC, 4, 0),
                                 BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0),
                                 BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SP_TAG_MAGIC, 2, 0),
                                 BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0),
                                 BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SP_TAG_MAGIC, 0, 1),
                                 BPF_STMT(BPF_RET | BPF_K, 256),
                                 BPF_STMT(BPF_RET | BPF_K, 0)};
    const struct sock_fprog off = {SP_ARRAY_LEN(drop), drop};
    const struct sock_fprog programs[2][2] = {
        {{SP_ARRAY_LEN(tag4), tag4}, {SP_ARRAY_LEN(tcp4), tcp4}},
        {{SP_ARRAY_LEN(tag6), tag6}, {SP_ARRAY_LEN(tcp6), tcp6}}};
    for (int i = 0; i < SP_HOSTSOCKS; i++) {
        const struct sock_fprog *program =
            on ? &programs[socks[i].family == SP_FAMILY_IPV6][socks[i].ip_proto == SP_IPPROTO_TCP]
               : &off;
        bool portless = sp_pkt_is_portless(socks[i].ip_proto);
        uint8_t at = portless ? sp_ipform_of(socks[i].family, socks[i].ip_proto).tag : 8;
        tag4[1].k = tag6[0].k = at;
        struct sock_fprog by_icmp = {SP_ARRAY_LEN(icmp), icmp};
        bool v6 = socks[i].family == SP_FAMILY_IPV6;
        bool sctp = socks[i].ip_proto == SP_IPPROTO_SCTP;
        for (size_t k = 0; k < SP_ICMPFORM_TAGS; k++) {
            icmp[1 + 2 * k].k = sctp ? sctp_tags[k] : sp_icmpform_tags[v6][k];
            icmp[1 + 2 * k].code = BPF_LD | BPF_W | (v6 ? BPF_ABS : BPF_IND);
        }
        if (on && (sctp || socks[i].ip_proto == SP_IPPROTO_ICMP ||
                   socks[i].ip_proto == SP_IPPROTO_ICMP6)) {
            /* An IPv6 socket begins at the message: there is no header whose length is X. */
            by_icmp.filter += v6 ? 1 : 0;
            by_icmp.len = (unsigned short)(SP_ARRAY_LEN(icmp) - (v6 ? 1 : 0));
            program = &by_icmp;
        }
        if (socks[i].fd >= 0 &&
            setsockopt(socks[i].fd, SOL_SOCKET, SO_ATTACH_FILTER, program, sizeof(*program)) != 0) {
            return sp_fail_errno(diag, "host witness", "cannot set the filter");
        }
    }
    return SP_OK;
}

/* What the kernel says beside the packet: interface; of IPv6 also what the missing header held. */
static void read_control(struct msghdr *msg, struct sp_pkt *pkt, uint32_t *iface)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof(info));
            pkt->dst = sp_addr_from_bytes(SP_FAMILY_IPV6, &info.ipi6_addr);
            *iface = info.ipi6_ifindex;
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT) {
            int hops;
            memcpy(&hops, CMSG_DATA(c), sizeof(hops));
            pkt->ttl = (uint8_t)hops;
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof(info));
            *iface = (uint32_t)info.ipi_ifindex;
        }
    }
}

/* What one system call reads. */
struct batch {
    struct mmsghdr heads[SP_HOST_BATCH];
    struct iovec iovs[SP_HOST_BATCH];
    struct sockaddr_in6 from[SP_HOST_BATCH];
    char control[SP_HOST_BATCH][128] __attribute__((aligned(8)));
    uint8_t bytes[SP_HOST_BATCH][SP_HOST_SNAPLEN];
};

static void prepare(struct batch *batch)
{
    for (size_t i = 0; i < SP_HOST_BATCH; i++) {
        batch->iovs[i] = (struct iovec){batch->bytes[i], sizeof(batch->bytes[i])};
        batch->heads[i].msg_hdr = (struct msghdr){.msg_name = &batch->from[i],
                                                  .msg_namelen = sizeof(batch->from[i]),
                                                  .msg_iov = &batch->iovs[i],
                                                  .msg_iovlen = 1,
                                                  .msg_control = batch->control[i],
                                                  .msg_controllen = sizeof(batch->control[i])};
    }
}

static void hand_over(const struct sp_hostsock *sock, struct batch *batch, size_t i,
                      sp_hostsock_fn fn, void *arg)
{
    struct sp_pkt pkt = {.ip_proto = sock->ip_proto};
    uint32_t iface = 0;
    bool v4 = sock->family == SP_FAMILY_IPV4;
    size_t len = batch->heads[i].msg_len;
    read_control(&batch->heads[i].msg_hdr, &pkt, &iface);
    if (!v4) {
        pkt.src = sp_addr_from_bytes(SP_FAMILY_IPV6, &batch->from[i].sin6_addr);
    }
    if (v4 ? sp_pkt_parse(batch->bytes[i], len, &pkt)
           : sp_pkt_parse_transport(batch->bytes[i], len, &pkt)) {
        fn(&pkt, iface, arg);
    }
}

size_t sp_hostsock_read(const struct sp_hostsock *sock, sp_hostsock_fn fn, void *arg)
{
    struct batch batch;
    size_t all = 0;
    int n = SP_HOST_BATCH;
    /* Fewer than asked for: nothing more waits. */
    while (n == SP_HOST_BATCH && all < SP_HOST_AT_ONCE) {
        prepare(&batch);
        n = recvmmsg(sock->fd, batch.heads, SP_HOST_BATCH, MSG_DONTWAIT, NULL);
        for (int i = 0; i < n; i++) {
            hand_over(sock, &batch, (size_t)i, fn, arg);
        }
        all += n > 0 ? (size_t)n : 0;
    }
    return all;
}

uint64_t sp_hostsocks_drops(const struct sp_hostsock socks[static SP_HOSTSOCKS])
{
    uint64_t sum = 0;
    for (int i = 0; i < SP_HOSTSOCKS; i++) {
        uint32_t info[SK_MEMINFO_VARS] = {0};
        socklen_t len = sizeof(info);
        if (socks[i].fd < 0) {
            continue;
        }
        if (getsockopt(socks[i].fd, SOL_SOCKET, SO_MEMINFO, info, &len) != 0 ||
            len < (SK_MEMINFO_DROPS + 1) * sizeof(info[0])) {
            return UINT64_MAX;
        }
        sum += info[SK_MEMINFO_DROPS];
    }
    return sum;
}
