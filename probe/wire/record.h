/* SPDX-License-Identifier: Apache-2.0
 *
 * The record set: every order and every observation, defined once. The same records cross the
 * privilege line inside a probe, the stream to the controller, and reach the reports.
 *
 * On the wire a record is exactly SP_RECORD_BYTES: type (1 byte), three zero bytes, then the fields
 * of its list below in order, big-endian, then zeros. A stream is a sequence of records, so framing
 * needs no length that could lie. The codec is pure (no sockets, no allocation) and refuses what it
 * does not know: unknown types, unterminated or unprintable text, unknown address families, bytes
 * set after the last field.
 *
 * Version rules: HELLO, ERROR and the record size never change shape. A record that gains a field
 * gains it at the end; a changed meaning raises SP_WIRE_VERSION. */
#ifndef SP_WIRE_RECORD_H
#define SP_WIRE_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "probe/base/addr.h"
#include "probe/base/answer.h"
#include "probe/base/rc.h"

#define SP_WIRE_VERSION 3U
#define SP_RECORD_BYTES 96U

enum sp_record_type {
    SP_REC_ERROR = 1, /* either way: something failed; the words say what */
    /* probe -> controller, in this order after start and after every restart of the sensor */
    SP_REC_HELLO,
    SP_REC_IFACE,
    SP_REC_OWN,
    SP_REC_LISTENER,
    SP_REC_READY,
    /* controller -> probe */
    SP_REC_BATCH,
    SP_REC_BLOCK,
    SP_REC_ARM,
    SP_REC_SHOT,
    SP_REC_FIRE,
    SP_REC_COLLECT,
    SP_REC_STOP,
    /* probe -> controller */
    SP_REC_REFUSED,
    SP_REC_ARMED,
    SP_REC_SEEN,
    SP_REC_DONE,
    SP_REC_COLLECTED,
    SP_REC_STANDIN, /* controller -> probe, before ARM */
    SP_REC_UNSTOOD, /* probe -> controller, before ARMED */
    SP_REC_WANT,    /* controller -> probe, after COLLECTED: the packets kept of one shot */
    SP_REC_PACKET,  /* probe -> controller: a part of one of them */
    SP_REC_WANTED,  /* probe -> controller: these were all */
    SP_REC_ALIVE,   /* controller -> probe: it is still there (see --silence-limit) */
    /* Sweeps: every port of a flow, see probe/sweep.h. controller -> probe, before ARM: */
    SP_REC_SWEEP,
    SP_REC_MASK,
    SP_REC_GUARD,
    SP_REC_VOLLEY, /* after FIRE, any number, carried out in turn */
    /* probe -> controller */
    SP_REC_VOLLEYED, /* a volley was sent */
    SP_REC_HEARD,    /* beats of a guard, as they are seen */
    SP_REC_HEALTH,   /* what was lost at this probe so far, now and then */
    SP_REC_ANSWERER, /* after COLLECT: who answered a sweep, and how */
    SP_REC_SWEPT,    /* after COLLECT: a set of ports */
    /* A part of a message, see wire/message.h. */
    SP_REC_QUERY, /* controller -> probe */
    SP_REC_TOLD,  /* probe -> controller */
    SP_REC_OUTER, /* controller -> probe, after its BLOCK: where an outer packet goes */
    SP_REC_PATH,  /* controller -> probe, before ARM: what the batch's HTTP requests ask for */
    SP_REC_TYPE_END
};

/* SP_REC_PACKET roles: where the capture saw the packet. */
enum sp_kept_role {
    SP_KEPT_SENT,    /* leaving the sender */
    SP_KEPT_ARRIVED, /* at the receiver's interface */
    SP_KEPT_ANSWER,  /* an answer, arriving at the sender */
    SP_KEPT_REPLY,   /* an answer, leaving the receiver */
    SP_KEPT_STRAY,   /* at a probe that the shot was not meant for, or in another shape */
    SP_KEPT_END
};

/* A kept packet has at most this many bytes: what the capture takes of one, and the beginning of
 * TCP data. */
#define SP_KEPT_MAX_BYTES  192U
#define SP_KEPT_PART_BYTES 64U

/* SP_REC_IFACE flags */
#define SP_IFACE_UP       1U
#define SP_IFACE_LOOPBACK 2U
#define SP_IFACE_XDP      4U /* an XDP program is attached: it may eat packets before any capture */

/* SP_REC_BLOCK flags */
#define SP_BLOCK_SENDER   1U
#define SP_BLOCK_RECEIVER 2U
#define SP_BLOCK_CONTROL                                                                           \
    4U /* tell arrivals at once, so that the drain can wait for the last control */
#define SP_BLOCK_REPLY 8U  /* the receiver crafts a tagged reply where the host gives none */
#define SP_BLOCK_LINK  16U /* inject at the link layer, past the sender's own OUTPUT policy */
#define SP_BLOCK_SELF                                                                              \
    32U /* dst is the sender's next hop towards dst; sender and receiver are the same probe */
#define SP_BLOCK_HTTP 64U  /* the tag travels in an HTTP/1.1 request, which a proxy reads */
#define SP_BLOCK_MUTE 128U /* a conversation without data: a handshake and a reset, no more */
#define SP_BLOCK_AGAIN                                                                             \
    256U /* what nobody has answered is sent once more a second later, the same packet, as TCP     \
            retransmits (RFC 6298): the shots of the first attempt */

/* SP_REC_GUARD alone: every beat is sent from the same source port, so that one entry of a state
 * table lasts for all of them; else from a port of its own. */
#define SP_BLOCK_STEADY     512U
/* SP_REC_SWEEP alone: its source is translated on the way, as declared, so that the source port
 * says nothing at the receiver. */
#define SP_BLOCK_TRANSLATED 1024U

/* Its source is `other`, which must be one that the probe was started with leave to forge: a probe
 * that does not grant class C, and any technique that does not forge, refuses. */
#define SP_BLOCK_FORGED 2048U
/* A source route begins with the router `other`, which must be within what the probe may send to.
 */
#define SP_BLOCK_VIA    4096U
/* To a probe between the two ends: it tells these packets and their answers as they pass. Transit
 * is never an arrival. */
#define SP_BLOCK_WATCH  8192U

/* The tag travels in a TLS ClientHello. */
#define SP_BLOCK_HELLO 16384U

/* Ports go by 512 in a record: bit p of byte p / 8 of chunk c is port c * 512 + p, the least
 * significant bit first. */
#define SP_CHUNK_PORTS 512U

/* SP_REC_MASK kinds. Chunks that are not told are empty. */
enum sp_mask_kind {
    SP_MASK_SEND,     /* sender: ports that are sent */
    SP_MASK_RAW,      /* sender: of these, the ones that go through the host's own OUTPUT policy,
                         whatever the flags say */
    SP_MASK_EXPECTED, /* receiver: ports whose arrival is no news, and may get a crafted reply */
    SP_MASK_END
};

/* SP_REC_HEARD kinds: where a beat was seen */
enum sp_heard_kind {
    SP_HEARD_LEFT, /* leaving the sender */
    SP_HEARD_NIC,  /* at the receiver's interface; of a SELF guard: answered by the next hop */
    SP_HEARD_HOST, /* behind the receiver's INPUT rules */
    SP_HEARD_END
};

/* SP_REC_SWEPT kinds */
enum sp_swept_kind {
    SP_SWEPT_NIC,       /* receiver: arrived at the interface */
    SP_SWEPT_HOST,      /* receiver: passed the host's INPUT rules */
    SP_SWEPT_EGRESS,    /* receiver: an answer was seen leaving */
    SP_SWEPT_REWRITTEN, /* receiver: arrived with other addresses or ports than declared */
    SP_SWEPT_STRAY,     /* any other probe: arrived there */
    SP_SWEPT_ANSWER,    /* sender: answered by the ANSWERER `detail` */
    SP_SWEPT_REFUSED,   /* sender: its own kernel refused to send it (EPERM) */
    SP_SWEPT_END
};

/* SP_REC_REFUSED reasons */
enum sp_refusal {
    SP_REFUSED_NONE,
    SP_REFUSED_NOT_OWN, /* the address to send from or to receive on is not on an interface of this
                           host */
    SP_REFUSED_IFACE_DOWN, /* its interface is down */
    SP_REFUSED_XDP,        /* its interface has an XDP program */
    SP_REFUSED_NO_ROUTE,   /* no route to the target */
    SP_REFUSED_NO_GATEWAY, /* a self control needs a next hop, and there is none */
    SP_REFUSED_TARGET,     /* the target is not in the probe's allow list */
    SP_REFUSED_TECHNIQUE,  /* unknown technique, or its hazard class is not permitted here */
    SP_REFUSED_CAPTURE,    /* the capture did not prove itself */
    SP_REFUSED_LINK,  /* link injection is not possible (no neighbour, not Ethernet, not permitted)
                       */
    SP_REFUSED_LIMIT, /* a named maximum: blocks, shots, packet budget */
    SP_REFUSED_OTHER, /* a source that is not its own, or a router on the way: not asked for, not
                         permitted here, or not a declared address */
    SP_REFUSED_END
};

/* SP_REC_SEEN kinds */
enum sp_seen_kind {
    SP_SEEN_SENT,     /* sender: handed to the kernel; err is errno when it refused */
    SP_SEEN_LEFT,     /* sender: the capture saw it leave */
    SP_SEEN_ANSWER,   /* sender: an answer came; answer, code, ttl, src tell */
    SP_SEEN_NIC,      /* receiver: arrived at the capture, before the host's firewall */
    SP_SEEN_HOST,     /* receiver: passed the host's INPUT rules */
    SP_SEEN_EGRESS,   /* receiver: an answer was seen leaving */
    SP_SEEN_STRAY,    /* any probe: a tagged packet of a block that is not addressed to it */
    SP_SEEN_UNTAGGED, /* receiver: packets without a valid tag at port; family NONE in src = many
                         sources */
    SP_SEEN_TRANSIT,  /* WATCH: passed here; code 0 = came in, 1 = went out at iface; answer NONE =
                         the packet itself, else its answer */
    SP_SEEN_HEARD,    /* receiver: a stand-in took the data of a conversation; code is enum sp_head,
                         src the client that the header names, answer NONE = the form came as it was
                         sent */
    SP_SEEN_END
};

/* What arrived of a test that is sent in fragments. */
enum sp_pieces {
    SP_PIECES_WHOLE, /* all of it, or it was not in fragments */
    SP_PIECES_TAIL,  /* later fragments alone: nobody can put it together */
    SP_PIECES_HEAD,  /* the first fragment, and not all others */
    SP_PIECES_END
};

enum sp_error_code {
    SP_ERR_INTERNAL = 1,
    SP_ERR_NO_RAW,   /* no CAP_NET_RAW */
    SP_ERR_CAPTURE,  /* the capture could not be opened or broke */
    SP_ERR_PROTOCOL, /* an order could not be understood */
    SP_ERR_IFACE,    /* an interface or address changed; the sensor restarts */
};

/* Field lists: F(kind, name). Kinds: u8 u16 u32 u64 addr text16 text24 text48 text80 key32
 * raw64. */
/* clang-format off */
#define SP_FIELDS_error(F) F(u16, code) F(u32, generation) F(text80, text)
#define SP_FIELDS_hello(F) \
    F(u16, protocol) F(u32, generation) F(u32, pid) F(u8, is_restart) F(text24, version) \
    F(text48, hostname)
#define SP_FIELDS_iface(F) F(u32, index) F(u32, flags) F(u32, mtu) F(text16, name)
#define SP_FIELDS_own(F) F(u32, iface) F(addr, addr) F(u8, prefix_len)
#define SP_FIELDS_listener(F) F(u8, proto) F(u16, port) F(addr, addr)
#define SP_FIELDS_ready(F) F(u32, generation)
/* sport_lo..sport_hi: the source ports reserved for the run; budget: packets; lifetime_ms: the
 * batch ends by itself; keep_bytes: memory for packets that WANT may ask for, 0 = keep none */
#define SP_FIELDS_batch(F) \
    F(u32, batch) F(u32, generation) F(u64, run) F(u16, sport_lo) F(u16, sport_hi) \
    F(u32, max_pps) F(u32, budget) F(u32, lifetime_ms) F(key32, key) F(u32, keep_bytes)
/* one record names `attempts` block ids: block .. block + attempts - 1; other: only with
 * SP_BLOCK_FORGED or SP_BLOCK_VIA, see there; ttl: of the first attempt's packets, one more with each
 * attempt, 0 = the usual one for all; bytes: payload is padded so that the IP packet has so many, 0 =
 * it is not; pause_ms: of a conversation, how long it is silent before it says its data once more; 0 =
 * it says them once */
#define SP_FIELDS_block(F) \
    F(u32, batch) F(u16, block) F(u16, attempts) F(u16, flags) F(text16, technique) \
    F(addr, src) F(addr, dst) F(addr, other) F(u8, ttl) F(u16, bytes) F(u32, pause_ms)
/* a stand-in listener to open at ARM, for this batch only, on an address and port of this host; it is
 * away from away_us to back_us after FIRE (0, 0 = never): closed, so that whoever comes is refused, or
 * silent */
#define SP_FIELDS_standin(F) \
    F(u32, batch) F(u8, proto) F(u16, port) F(addr, addr) F(u32, away_us) F(u32, back_us) \
    F(u8, is_silent)
#define SP_FIELDS_arm(F) F(u32, batch)
#define SP_FIELDS_shot(F) F(u32, batch) F(u16, block) F(u16, port) F(u16, sport) F(u32, at_us)
#define SP_FIELDS_fire(F) F(u32, batch)
#define SP_FIELDS_collect(F) F(u32, batch)
#define SP_FIELDS_stop(F) F(u32, reason)
#define SP_FIELDS_refused(F) F(u32, batch) F(u16, block) F(u8, reason) F(u16, err)
#define SP_FIELDS_alive(F) F(u32, count)
/* that stand-in could not be opened; err is errno, EADDRINUSE: a real service has the port */
#define SP_FIELDS_unstood(F) F(u32, batch) F(u8, proto) F(u16, port) F(addr, addr) F(u16, err)
#define SP_FIELDS_armed(F) F(u32, batch) F(u32, refused)
/* at_us: since FIRE; count: packets; addresses and ports as captured; code: of NIC, HOST and STRAY
 * whether one of them carried data (of a conversation: not only its SYN), of UNTAGGED the protocol,
 * of an answer see base/answer.h (CLOSED: count is the pause in milliseconds; err: the status of an
 * HTTP answer, 0 = it was none); count: of SENT and LEFT 2 when it was sent AGAIN; iface: where it
 * was seen, 0 = unknown; pieces: of NIC and STRAY, enum sp_pieces; of an answer EXPIRED
 * dst, sport and dport are those of the packet that it quotes, of TOO_BIG count is the MTU that it
 * names */
#define SP_FIELDS_seen(F) \
    F(u32, batch) F(u8, kind) F(u16, block) F(u16, port) F(u32, count) F(u32, at_us) \
    F(u8, answer) F(u8, code) F(u8, ttl) F(u16, err) F(u32, iface) F(addr, src) F(addr, dst) \
    F(u16, sport) F(u16, dport) F(u8, pieces)
#define SP_FIELDS_done(F) F(u32, batch) F(u32, sent) F(u32, failed)
#define SP_FIELDS_collected(F) \
    F(u32, batch) F(u32, generation) F(u64, captured) F(u64, capture_drops) \
    F(u64, softnet_drops) F(u64, sent) F(u32, longest_gap_us) F(u8, untagged_overflow)
#define SP_FIELDS_want(F) F(u32, batch) F(u16, block) F(u16, port)
/* bytes `offset` to `offset` + 64 (at most to `len`, then zeros) of a packet of `len` captured and
 * `wire_len` real bytes, from its IP header on; the parts of a packet come in order, without a gap.
 * at_us: since FIRE */
#define SP_FIELDS_packet(F) \
    F(u32, batch) F(u16, block) F(u16, port) F(u8, role) F(u32, iface) F(u32, at_us) F(u16, len) \
    F(u16, wire_len) F(u16, offset) F(raw64, bytes)
/* packets: how many were told; lost: how many of the batch there was no room for */
#define SP_FIELDS_wanted(F) F(u32, batch) F(u16, block) F(u16, port) F(u32, packets) F(u32, lost)

/* Block ids block .. block + passes - 1, one per pass. Pass p is sent from source port sport + p;
 * ports alt_lo .. alt_hi from alt_sport + p, so that no packet is the reverse of one of the sweep in
 * the other direction. */
#define SP_FIELDS_sweep(F) \
    F(u32, batch) F(u16, block) F(u16, passes) F(u16, flags) F(text16, technique) F(addr, src) \
    F(addr, dst) F(u16, sport) F(u16, alt_sport) F(u16, alt_lo) F(u16, alt_hi)
#define SP_FIELDS_mask(F) F(u32, batch) F(u16, block) F(u8, kind) F(u16, chunk) F(raw64, bits)
/* A control flow beside sweeps; its packets are beats, numbered from 0 and tagged (block, number).
 * every_us: 0 = it beats with the sender's volleys; else by itself, so often, from FIRE to COLLECT */
#define SP_FIELDS_guard(F) \
    F(u32, batch) F(u16, block) F(u16, flags) F(text16, technique) F(addr, src) F(addr, dst) \
    F(u16, port) F(u16, sport_lo) F(u16, sport_hi) F(u32, every_us)
/* Sends `count` of the probe's ports beginning with number `first`, in the order of probe/sweep.h,
 * at `pps` packets a second with their beats */
#define SP_FIELDS_volley(F) \
    F(u32, batch) F(u32, serial) F(u16, pass) F(u32, first) F(u32, count) F(u32, pps) F(u64, order)
/* sent + refused + failed = count. refused: by the sender's own policy; failed: any other error, err
 * is the last errno (ECANCELED: of a refused sweep, or cut off by COLLECT; EDQUOT: the budget; EINVAL,
 * ENOBUFS: not taken); beats first_beat .. last_beat belong to it, first > last: none; tx_drops: by
 * how much the interfaces' own counters of packets they dropped grew, UINT32_MAX: unknown; at: since
 * FIRE */
#define SP_FIELDS_volleyed(F) \
    F(u32, batch) F(u32, serial) F(u32, sent) F(u32, refused) F(u32, failed) F(u16, err) \
    F(u32, first_beat) F(u32, last_beat) F(u32, start_us) F(u32, end_us) F(u32, longest_burst) \
    F(u32, tx_drops)
/* all beats of the chunk (512 of them) seen so far */
#define SP_FIELDS_heard(F) F(u32, batch) F(u16, block) F(u8, kind) F(u16, chunk) F(raw64, bits)
/* arrived: packets of sweeps that came to this receiver; counters as in COLLECTED, since ARM */
#define SP_FIELDS_health(F) \
    F(u32, batch) F(u32, at_us) F(u64, arrived) F(u64, capture_drops) F(u64, softnet_drops) \
    F(u32, longest_gap_us)
/* number: of the class, in the sweep that begins with this block; overflow: others had no room */
#define SP_FIELDS_answerer(F) \
    F(u32, batch) F(u16, block) F(u8, number) F(u8, answer) F(u8, code) F(u8, ttl) F(addr, addr) \
    F(u8, overflow)
/* block: of one pass for NIC, HOST, and STRAY at a probe that was not told of the block; else the
 * sweep's first; detail: an ANSWER's class. Of some packets a SEEN record tells more: the first of
 * each interval that was not expected, of the rewritten and stray ones, of a class of answers; and
 * EGRESS of replies that could not be sent. */
#define SP_FIELDS_swept(F) \
    F(u32, batch) F(u16, block) F(u8, kind) F(u8, detail) F(u16, chunk) F(raw64, bits)

/* bytes `offset` to `offset` + len of message `id`; topic: enum sp_topic; the parts of a message come
 * in order, without a gap, all but the last full */
#define SP_FIELDS_query(F) \
    F(u32, id) F(u8, topic) F(u8, is_last) F(u32, offset) F(u16, len) F(raw64, bytes)
#define SP_FIELDS_told(F) \
    F(u32, id) F(u8, topic) F(u8, is_last) F(u32, offset) F(u16, len) F(raw64, bytes)
/* Of a technique whose packets travel inside others: the sender sends one from src, an address of
 * its own, to dst, which must be within what it may send to; one record for each, at most 3. vni and
 * mac (its 48 bits, 0 = broadcast): of frames that have them */
#define SP_FIELDS_outer(F) \
    F(u32, batch) F(u16, block) F(addr, src) F(addr, dst) F(u32, vni) F(u64, mac)

/* an absolute path of printable ASCII; without it requests ask for "/" */
#define SP_FIELDS_path(F) F(u32, batch) F(text80, path)

#define SP_RECORD_KINDS(R) \
    R(ERROR, error) R(HELLO, hello) R(IFACE, iface) R(OWN, own) R(LISTENER, listener) \
    R(READY, ready) R(BATCH, batch) R(BLOCK, block) R(ARM, arm) R(SHOT, shot) R(FIRE, fire) \
    R(COLLECT, collect) R(STOP, stop) R(REFUSED, refused) R(ARMED, armed) R(SEEN, seen) \
    R(DONE, done) R(COLLECTED, collected) R(STANDIN, standin) R(UNSTOOD, unstood) \
    R(WANT, want) R(PACKET, packet) R(WANTED, wanted) R(ALIVE, alive) R(SWEEP, sweep) \
    R(MASK, mask) R(GUARD, guard) R(VOLLEY, volley) R(VOLLEYED, volleyed) R(HEARD, heard) \
    R(HEALTH, health) R(ANSWERER, answerer) R(SWEPT, swept) R(QUERY, query) R(TOLD, told) \
    R(OUTER, outer) R(PATH, path)
/* clang-format on */

#define SP_DECL_u8(n)     uint8_t n;
#define SP_DECL_u16(n)    uint16_t n;
#define SP_DECL_u32(n)    uint32_t n;
#define SP_DECL_u64(n)    uint64_t n;
#define SP_DECL_addr(n)   struct sp_addr n;
#define SP_DECL_text16(n) char n[16];
#define SP_DECL_text24(n) char n[24];
#define SP_DECL_text48(n) char n[48];
#define SP_DECL_text80(n) char n[80];
#define SP_DECL_key32(n)  uint8_t n[32];
#define SP_DECL_raw64(n)  uint8_t n[64];
#define SP_DECL(kind, n)  SP_DECL_##kind(n)

#define SP_RECORD_STRUCT(TYPE, name)                                                               \
    struct sp_rec_##name {                                                                         \
        SP_FIELDS_##name(SP_DECL)                                                                  \
    };
SP_RECORD_KINDS(SP_RECORD_STRUCT)
#undef SP_RECORD_STRUCT

struct sp_record {
    uint8_t type; /* enum sp_record_type */
    union {
#define SP_RECORD_MEMBER(TYPE, name) struct sp_rec_##name name;
        SP_RECORD_KINDS(SP_RECORD_MEMBER)
#undef SP_RECORD_MEMBER
    } u;
};

/* Encodes; text fields are cut at their width and unprintable bytes become '?'. An unknown type is
 * an assert. */
void sp_record_encode(const struct sp_record *record, uint8_t out[static SP_RECORD_BYTES]);
/* Decodes strictly; on anything but SP_OK *ret_record is untouched. */
enum sp_rc sp_record_decode(const uint8_t in[static SP_RECORD_BYTES], struct sp_record *ret_record,
                            struct sp_diag *diag) SP_MUST_CHECK;

const char *sp_record_type_str(uint8_t type);
const char *sp_refusal_str(uint8_t reason); /* a clause for people */

#endif
