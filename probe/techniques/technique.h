/* SPDX-License-Identifier: Apache-2.0
 *
 * A technique's code: one file tech_x.c, run inside the sensor only. What it is called and costs
 * stands in registry.def.
 *
 * A technique emits packets for a flow (one that holds a conversation goes on with on_packet() and
 * on_timer()), recognises its own packets wherever they turn up (pure:
 * keys and a packet in, identity out), says what an inbound packet answers, and may craft the reply
 * that proves the way back. */
#ifndef SP_TECHNIQUES_TECHNIQUE_H
#define SP_TECHNIQUES_TECHNIQUE_H

#include "probe/base/answer.h"
#include "probe/packet/packet.h"
#include "probe/packet/tag.h"
#include "probe/techniques/registry.h"

/* One shot: the packet(s) of one test and attempt, as the sender knows it. */
struct sp_flow {
    struct sp_addr src, dst;
    uint16_t block, port; /* what the tag carries */
    uint16_t sport;       /* reserved source port (ICMP echo: the identifier) */
    uint16_t dport;       /* of an arrival: on the wire, where a translation may have changed it */
    uint16_t wire_port;   /* of a beat: what it is sent to; 0 = port */
};

/* The destination port that a flow is sent to. */
static inline uint16_t sp_flow_wire_port(const struct sp_flow *flow)
{
    return flow->wire_port ? flow->wire_port : flow->port;
}

/* An outer packet that carries the test's own. */
struct sp_outer {
    struct sp_addr src, dst;
    uint32_t vni;   /* VXLAN, GENEVE */
    uint8_t mac[6]; /* of the inner frame; zero = broadcast */
    /* the sender's way to dst: filled by the engine */
    uint32_t iface;
    uint8_t src_mac[6], hop_mac[6];
};
#define SP_OUTERS_MAX 3U

/* What a technique may do while it runs. */
struct sp_tech_io {
    const struct sp_tag_keys *keys;
    uint64_t now_us;
    const struct sp_addr *forged;  /* the source that a forging technique writes in the place of its
                                      own; NULL: it must not */
    const struct sp_addr *via;     /* the router that a source route begins with; NULL: none */
    const struct sp_outer *outers; /* of one that wraps: a packet goes to each */
    size_t nouters;
    /* Sends; returns 0 or the errno with which the kernel refused. */
    int (*emit)(struct sp_tech_io *io, const struct sp_spec *spec);
    void *arg;
};

/* A conversation that goes on after the first packet: a small state machine that the technique
 * drives and the engine keeps, from start() until its state is SP_DIALOG_OVER. */
#define SP_DIALOG_OVER 255U

struct sp_dialog {
    uint8_t state;  /* the technique's own; 0 at start */
    uint8_t sends;  /* how often the data went out */
    uint8_t answer; /* enum sp_answer: the strongest so far */
    uint8_t flags;  /* SP_ANSWER_WINDOW_ZERO ... */
    uint8_t ttl;    /* of the peer's first packet */
    bool is_http;   /* the block asks for the tag in an HTTP request */
    bool is_mute;   /* the block asks for a conversation without data */
    bool is_hello;  /* the block asks for the tag in a TLS ClientHello */
    bool has_paused;
    const char *path;   /* of the HTTP request; NULL = "/" */
    uint16_t status;    /* of the HTTP answer */
    uint16_t said;      /* bytes of our data before the pause */
    uint32_t pause_ms;  /* the block asks for a pause after the answer, and more data after that */
    uint32_t silent_ms; /* how long the pause was, until the peer ended it */
    bool has_timestamps;
    uint16_t data_len;           /* of our data, once sent */
    uint32_t acked, peer, tsecr; /* next byte the peer wants; its first byte; its timestamp */
    uint64_t begun_us, data_us;
    uint64_t until_us; /* it ends then at the latest; at start: begun_us + patience_us */
    uint64_t due_us;   /* on_timer() is wanted then; at start: until_us */
};

/* A fragment that is part of a test. */
struct sp_piece {
    uint16_t block, port;
    uint8_t at;   /* which one of its train; 0 is the one with the transport header */
    bool is_weak; /* its tag alone has fewer than 32 MAC bits: it counts only for a known block */
};

struct sp_technique {
    const char *name;
    uint8_t ip_proto4, ip_proto6; /* the outer protocol of its packets */
    bool proto_by_port;           /* the flow's port is that protocol instead: the ip axis */
    /* Emits the packets of a flow; 0, or the errno of the first that was refused. */
    int (*start)(const struct sp_flow *flow, struct sp_tech_io *io);
    /* The one packet that start() emits, for the template of a sweep; NULL: it cannot sweep. Its
     * tag stands where packet/template.h says. */
    void (*spec)(const struct sp_tag_keys *keys, const struct sp_flow *flow, uint64_t now_us,
                 struct sp_spec *ret_spec);
    /* Destination port on the wire (ICMP echo: the sequence number): with sport it finds the flow
     * of an answer. */
    uint16_t (*wire_dport)(const struct sp_flow *flow);
    /* Is this a probe packet of this technique, of this batch? Which one? */
    bool (*match)(const struct sp_tag_keys *keys, const struct sp_pkt *pkt, uint16_t *ret_block,
                  uint16_t *ret_port);
    /* What pkt, whose addresses and ports are the reverse of the flow's, answers. */
    enum sp_answer (*answer)(const struct sp_tag_keys *keys, const struct sp_flow *flow,
                             const struct sp_pkt *pkt);
    /* Does an ICMP error's quote belong to the flow (addresses and ports already do)? */
    bool (*quoted)(const struct sp_tag_keys *keys, const struct sp_flow *flow,
                   const struct sp_pkt *pkt);
    /* The reply along the reversed flow of an arrival; NULL when the host always answers by itself.
     */
    int (*reply)(const struct sp_flow *arrival, struct sp_tech_io *io);
    /* Of a train of fragments only; else NULL and 0: is this fragment (sp_pkt_parse_piece) one of
     * its pieces? pieces: the set of those that are sent. */
    bool (*piece)(const struct sp_tag_keys *keys, const struct sp_pkt *pkt,
                  struct sp_piece *ret_piece);
    uint8_t pieces;
    bool needs_link; /* the sender's own kernel would undo what is special about it */
    bool routes;     /* it may go by way of io.via */
    bool forges;     /* its source is io.forged: only where class C is granted */
    uint8_t wraps;   /* enum sp_wrap_kind: its packets travel inside others, to io.outers; what is
                        said of its packets above and below is said of the inner ones */
    /* Of a conversation only; else 0 and NULL. How long the first answer is waited for. */
    uint32_t patience_us;
    /* A packet of the peer's (addresses and ports are the
     * reverse of the flow's, never a bare SYN): changes state, answer and due_us, sends nothing.
     */
    void (*on_packet)(struct sp_dialog *dialog, const struct sp_flow *flow,
                      const struct sp_pkt *pkt, struct sp_tech_io *io);
    /* due_us has come and a packet may be sent: emits at most one, then sets due_us anew or state
     * to SP_DIALOG_OVER. */
    void (*on_timer)(struct sp_dialog *dialog, const struct sp_flow *flow, struct sp_tech_io *io);
    /* The dialog is cut off now: emits what cleans up behind it, at most one packet. */
    void (*stop)(struct sp_dialog *dialog, const struct sp_flow *flow, struct sp_tech_io *io);
};

/* The outer protocol of a flow's packets. */
static inline uint8_t sp_flow_ip_proto(const struct sp_technique *tech, uint8_t family,
                                       uint16_t port)
{
    return tech->proto_by_port        ? (uint8_t)port
           : family == SP_FAMILY_IPV4 ? tech->ip_proto4
                                      : tech->ip_proto6;
}

/* Can a packet of this protocol be the technique's? */
static inline bool sp_tech_takes(const struct sp_technique *tech, uint8_t family, uint8_t ip_proto)
{
    return tech->proto_by_port
               ? sp_pkt_is_portless(ip_proto)
               : ip_proto == (family == SP_FAMILY_IPV4 ? tech->ip_proto4 : tech->ip_proto6);
}

#define SP_ENTRY(name, hazard, families, proto, verdict, packets, summary)                         \
    extern const struct sp_technique sp_tech_##name;
#include "probe/techniques/registry.def"
#undef SP_ENTRY

/* Code by registry index; NULL past the end. */
const struct sp_technique *sp_technique_code(size_t index);

#endif
