/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/packet/capture.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/cursor.h"
#include "probe/base/mem.h"

/* LINKTYPE_LINUX_SLL2: protocol 2, reserved 2, interface 4, ARPHRD 2, packet type 1, address length
 * 1, address 8. */
#define SP_SLL2_BYTES      20U
#define SP_SLL2_HOST       0U
#define SP_SLL2_BROADCAST  1U
#define SP_SLL2_MULTICAST  2U
#define SP_SLL2_OUTGOING   4U
#define SP_ARPHRD_LOOPBACK 772U

/* Segments of no connection, by the numbers in their header: techniques/segment.h. Options are
 * looked at where the header is long enough for them. */
#define SP_MARK(len, opt, seq, ack, ecr)                                                           \
    "(" seq " + " ack " = 0x53477066 or "                                                          \
    "(" len " & 0xf0 >= 0x80 and " opt " = 0x0101080a and " seq " + " ecr " = 0x53477066))"
static const char filter_on[] = "(ip and (not tcp or tcp[13] & 6 != 0 or " SP_MARK(
    "tcp[12]", "tcp[20:4]", "tcp[4:4]", "tcp[8:4]",
    "tcp[28:4]") ")) or "
                 "(ip6 and (ip6[6] != 6 or ip6[53] & 6 != 0 or " SP_MARK(
                     "ip6[52]", "ip6[60:4]", "ip6[44:4]", "ip6[48:4]", "ip6[68:4]") "))";
/* TCP data by its first four bytes: the tag's magic, "GET ", "HTTP", "PROX", the signature of a
 * version 2 PROXY header. libpcap knows no TCP offsets behind IPv6. */
#define SP_DATA_IS(at, word) at " = " word
#define SP_DATA(at)                                                                                \
    "(" SP_DATA_IS(at, "0x53477066") " or " SP_DATA_IS(at, "0x47455420") " or " SP_DATA_IS(        \
        at, "0x48545450") " or " SP_DATA_IS(at, "0x50524f58") " or " SP_DATA_IS(at,                \
                                                                                "0x0d0a0d0a") ")"
/* The ports first: where a segment is too short for the words, BPF gives up on the whole packet. */
static const char filter_data[] = "(ip and tcp and ((tcp[2:2] >= %u and tcp[2:2] <= %u) or " SP_DATA(
    "tcp[(tcp[12] >> 2) & 0x3c : 4]") ")) or "
                                      "(ip6 and ip6[6] = 6 and ((ip6[42:2] >= %u and ip6[42:2] <= %u) or " SP_DATA(
                                          "ip6[40 + ((ip6[52] >> 2) & 0x3c) : 4]") "))";
static const char filter_off[] = "less 1";
/* First: of a fragment the loads of the others may lie behind its end. IPv6 ones pass anyway. */
static const char filter_pieces[] = "(ip and (ip[6:2] & 0x3fff != 0)) or ";

struct sp_capture {
    pcap_t *pcap;
    sp_capture_fn fn;
    void *arg;
    uint64_t count;
    bool with_pieces;
};

enum sp_rc sp_capture_open(size_t buffer_bytes, struct sp_capture **ret_capture,
                           struct sp_diag *diag)
{
    char errbuf[PCAP_ERRBUF_SIZE] = "";
    struct sp_capture *capture = sp_calloc(1, sizeof(*capture));
    if (!capture) {
        return sp_fail(diag, SP_E_NOMEM, "capture", "out of memory");
    }
    capture->pcap = pcap_create("any", errbuf);
    if (!capture->pcap) {
        sp_capture_free(capture);
        return sp_fail(diag, SP_E_SYSTEM, "capture", "%s", errbuf);
    }
    pcap_t *p = capture->pcap;
    (void)pcap_set_snaplen(p, SP_CAPTURE_SNAPLEN_DATA + (int)SP_SLL2_BYTES);
    /* A block of the TPACKET_V3 ring (256 KiB in libpcap) is handed over when it is full or after
     * this long. Shorter would spend a whole block on a few packets, and a short stall would fill
     * the ring. */
    (void)pcap_set_timeout(p, 30);
    (void)pcap_set_buffer_size(p, (int)buffer_bytes);
    int rc = pcap_activate(p);
    if (rc < 0) {
        enum sp_rc code = rc == PCAP_ERROR_PERM_DENIED ? SP_E_DENIED : SP_E_SYSTEM;
        code = sp_fail(diag, code, "capture", "cannot open: %s", pcap_geterr(p));
        sp_capture_free(capture);
        return code;
    }
    if (pcap_set_datalink(p, DLT_LINUX_SLL2) != 0 || pcap_setnonblock(p, 1, errbuf) != 0) {
        enum sp_rc code =
            sp_fail(diag, SP_E_SYSTEM, "capture", "cannot set up: %s", pcap_geterr(p));
        sp_capture_free(capture);
        return code;
    }
    enum sp_rc code = sp_capture_filter(capture, false, 0, 0, diag);
    if (code != SP_OK) {
        sp_capture_free(capture);
        return code;
    }
    *ret_capture = capture;
    return SP_OK;
}

void sp_capture_free(struct sp_capture *capture)
{
    if (capture && capture->pcap) {
        pcap_close(capture->pcap);
    }
    sp_free(capture);
}

int sp_capture_fd(const struct sp_capture *capture)
{
    return pcap_get_selectable_fd(capture->pcap);
}

static enum sp_rc compile(struct sp_capture *capture, const char *text, uint32_t snap,
                          struct bpf_program *program, struct sp_diag *diag)
{
    if (pcap_compile(capture->pcap, program, text, 1, PCAP_NETMASK_UNKNOWN) != 0) {
        return sp_fail(diag, SP_E_SYSTEM, "capture", "cannot compile the filter: %s",
                       pcap_geterr(capture->pcap));
    }
    for (u_int i = 0; i < program->bf_len; i++) {
        struct bpf_insn *insn = &program->bf_insns[i];
        if (insn->code == (BPF_RET | BPF_K) && insn->k != 0) {
            insn->k = snap; /* of the packet: libpcap puts the SLL2 header in front later */
        }
    }
    return SP_OK;
}

/* One program that keeps what first passes, by its length, else what second passes, by its own:
 * where first says no, it goes on with second instead. */
static enum sp_rc set_either(struct sp_capture *capture, const struct bpf_program *first,
                             const struct bpf_program *second, struct sp_diag *diag)
{
    struct bpf_program both = {.bf_len = first->bf_len + second->bf_len};
    both.bf_insns = sp_calloc(both.bf_len, sizeof(*both.bf_insns));
    if (!both.bf_insns) {
        return sp_fail(diag, SP_E_NOMEM, "capture", "out of memory");
    }
    memcpy(both.bf_insns, first->bf_insns, first->bf_len * sizeof(*both.bf_insns));
    memcpy(both.bf_insns + first->bf_len, second->bf_insns,
           second->bf_len * sizeof(*both.bf_insns));
    for (u_int i = 0; i < first->bf_len; i++) {
        struct bpf_insn *insn = &both.bf_insns[i];
        if (insn->code == (BPF_RET | BPF_K) && insn->k == 0) {
            insn->code = BPF_JMP | BPF_JA;
            insn->k = first->bf_len - i - 1;
        }
    }
    int rc = pcap_setfilter(capture->pcap, &both);
    sp_free(both.bf_insns);
    return rc == 0 ? SP_OK
                   : sp_fail(diag, SP_E_SYSTEM, "capture", "cannot set the filter: %s",
                             pcap_geterr(capture->pcap));
}

void sp_capture_want_pieces(struct sp_capture *capture, bool wanted)
{
    capture->with_pieces = wanted;
}

enum sp_rc sp_capture_filter(struct sp_capture *capture, bool on, uint16_t lo, uint16_t hi,
                             struct sp_diag *diag)
{
    struct bpf_program always;
    struct bpf_program data;
    char text[sizeof(filter_data) + 32];
    char first[sizeof(filter_pieces) + sizeof(filter_on)];
    unsigned from = lo ? lo : 1; /* without ports: 1 .. 0, never true */
    (void)snprintf(text, sizeof(text), filter_data, from, hi, from, hi);
    (void)snprintf(first, sizeof(first), "%s%s", capture->with_pieces ? filter_pieces : "",
                   filter_on);
    enum sp_rc rc = compile(capture, on ? first : filter_off, SP_CAPTURE_SNAPLEN, &always, diag);
    if (rc != SP_OK) {
        return rc;
    }
    rc = compile(capture, on ? text : filter_off, SP_CAPTURE_SNAPLEN_DATA, &data, diag);
    if (rc == SP_OK) {
        rc = set_either(capture, &always, &data, diag);
        pcap_freecode(&data);
    }
    pcap_freecode(&always);
    return rc;
}

static void on_packet(u_char *user, const struct pcap_pkthdr *head, const u_char *bytes)
{
    struct sp_capture *capture = (struct sp_capture *)(void *)user;
    struct sp_rd rd;
    sp_rd_init(&rd, bytes, head->caplen);
    uint16_t ethertype = sp_rd_u16(&rd);
    sp_rd_skip(&rd, 2);
    uint32_t iface = sp_rd_u32(&rd);
    uint16_t arphrd = sp_rd_u16(&rd);
    uint8_t type = sp_rd_u8(&rd);
    sp_rd_skip(&rd, 9);
    if (rd.bad || (ethertype != 0x0800 && ethertype != 0x86dd)) {
        return;
    }
    capture->count++;
    struct sp_captured captured = {
        .dir = type == SP_SLL2_HOST       ? SP_DIR_IN
               : type == SP_SLL2_OUTGOING ? SP_DIR_OUT
                                          : SP_DIR_OTHER,
        .is_flooded = type == SP_SLL2_BROADCAST || type == SP_SLL2_MULTICAST,
        .is_loopback = arphrd == SP_ARPHRD_LOOPBACK,
        .iface = iface,
        .ip = bytes + rd.pos,
        .len = sp_rd_left(&rd),
    };
    capture->fn(&captured, capture->arg);
}

enum sp_rc sp_capture_dispatch(struct sp_capture *capture, sp_capture_fn fn, void *arg,
                               struct sp_diag *diag)
{
    capture->fn = fn;
    capture->arg = arg;
    int n = pcap_dispatch(capture->pcap, SP_CAPTURE_AT_ONCE, on_packet, (u_char *)capture);
    return n >= 0 ? SP_OK
                  : sp_fail(diag, SP_E_SYSTEM, "capture", "broke: %s", pcap_geterr(capture->pcap));
}

uint64_t sp_capture_drops(struct sp_capture *capture)
{
    struct pcap_stat stat;
    if (pcap_stats(capture->pcap, &stat) != 0) {
        return UINT64_MAX;
    }
    return (uint64_t)stat.ps_drop + stat.ps_ifdrop;
}

uint64_t sp_capture_count(const struct sp_capture *capture)
{
    return capture->count;
}

uint64_t sp_softnet_drops(void)
{
    char line[512];
    uint64_t sum = 0;
    FILE *f = fopen("/proc/net/softnet_stat", "re");
    if (!f) {
        return UINT64_MAX;
    }
    while (fgets(line, sizeof(line), f)) {
        char *end = NULL;
        (void)strtoul(line, &end, 16);
        if (end && *end == ' ') {
            sum += strtoul(end, NULL, 16);
        }
    }
    (void)fclose(f);
    return sum;
}
