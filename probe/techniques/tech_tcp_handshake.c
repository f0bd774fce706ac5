/* SPDX-License-Identifier: Apache-2.0
 *
 * A whole TCP conversation (RFC 9293): SYN, the ACK that completes the handshake, tagged data, RST.
 * A SYN/ACK alone proves nothing about who is behind an address: SYN proxies, balancers and
 * firewalls answer for others. The SYN is that of tcp_syn and carries the same tag; the data
 * carries the payload tag (raw or in an HTTP request), which is all that survives a full proxy.
 *
 * Order and times (microseconds): the pure ACK at once, with the TSval of the SYN, because a SYN
 * proxy makes the SYN for its back side from it; the data SP_DATA_AFTER later and again at the
 * SP_AGAIN times until the peer acknowledges it, because a SYN proxy swallows what comes before its
 * back side is open, and because the capture shows answers up to 30 ms late; at the end, however it
 * comes, one RST, so that no state table on the way keeps the connection. Nothing is sent but this:
 * at most seven packets. Where the block asks for a pause, nothing is sent for so long after the
 * peer's answer but one acknowledgement of it; then the data goes out once more as new bytes, again
 * until it is acknowledged: at most twelve packets. */
#include <string.h>

#include "probe/packet/tagform.h"
#include "probe/techniques/technique.h"

#define SP_DATA_AFTER 5000U
#define SP_MUTE_FOR   50000U  /* how long a conversation without data stays open */
#define SP_GIVE_UP    700000U /* after the SYN without an answer, after the SYN/ACK with one */
#define SP_WINDOW     65536U  /* how far from its start the peer's sequence numbers may be */

static const uint32_t again[] = {60000, 150000, 300000}; /* after the data went out first */

enum state { WANTED, ACK_DUE, DATA_DUE, DATA_SENT, DATA_TAKEN, PAUSING, RESET_DUE };

static uint16_t wire_dport(const struct sp_flow *flow)
{
    return flow->port;
}

static struct sp_spec segment(const struct sp_flow *flow, const struct sp_tech_io *io)
{
    struct sp_tag tag = sp_tag_make(io->keys, flow->block, flow->port);
    return (struct sp_spec){
        .src = flow->src,
        .dst = flow->dst,
        .ip_proto = SP_IPPROTO_TCP,
        .ip_id = tag.ip_id,
        .sport = flow->sport,
        .dport = flow->port,
        .seq = tag.seq,
        .tsval = tag.tsval,
    };
}

static int start(const struct sp_flow *flow, struct sp_tech_io *io)
{
    struct sp_spec spec = segment(flow, io);
    spec.tcp_flags = SP_TCP_SYN;
    spec.tcp_options = true;
    return io->emit(io, &spec);
}

static uint8_t kind_of(const struct sp_pkt *pkt)
{
    return pkt->tcp_flags & (SP_TCP_SYN | SP_TCP_ACK | SP_TCP_RST);
}

static bool has_data(const struct sp_pkt *pkt)
{
    return (pkt->tcp_flags & (SP_TCP_SYN | SP_TCP_RST)) == 0 && pkt->payload_len > 0;
}

static bool match(const struct sp_tag_keys *keys, const struct sp_pkt *pkt, uint16_t *ret_block,
                  uint16_t *ret_port)
{
    struct sp_form form;
    if (kind_of(pkt) == SP_TCP_SYN) {
        return pkt->has_timestamps && sp_tag_check(keys, pkt->seq, pkt->tsval, ret_block, ret_port);
    }
    if (!has_data(pkt) ||
        sp_form_read(keys, pkt->payload, pkt->payload_len, &form) != SP_FORM_TAG ||
        form.kind != SP_TAG_PROBE) {
        return false;
    }
    *ret_block = form.block;
    *ret_port = form.port;
    return true;
}

/* Of a packet seen leaving the receiver, or come to the sender after the dialog's end. Behind a
 * proxy the sequence numbers are another connection's, and only the reply's own tag tells. */
static enum sp_answer answer(const struct sp_tag_keys *keys, const struct sp_flow *flow,
                             const struct sp_pkt *pkt)
{
    uint32_t ahead = pkt->ack - sp_tag_seal(keys, flow->block, flow->port);
    uint8_t kind = kind_of(pkt);
    struct sp_form form;
    if (kind == (SP_TCP_SYN | SP_TCP_ACK)) {
        return ahead == 1 ? SP_ANSWER_SYN_ACK : SP_ANSWER_NONE;
    }
    /* Some stacks acknowledge the sequence number itself (techniques.md T1). */
    if (kind == (SP_TCP_RST | SP_TCP_ACK)) {
        return ahead <= 1 ? SP_ANSWER_RST : SP_ANSWER_NONE;
    }
    if (!has_data(pkt)) {
        return SP_ANSWER_NONE;
    }
    if (ahead > 1 && ahead <= 1 + SP_FORM_MAX) {
        return SP_ANSWER_DATA;
    }
    bool tagged = sp_form_read(keys, pkt->payload, pkt->payload_len, &form) == SP_FORM_TAG &&
                  form.kind == SP_TAG_REPLY && form.block == flow->block && form.port == flow->port;
    return tagged ? SP_ANSWER_DATA : SP_ANSWER_NONE;
}

static bool quoted(const struct sp_tag_keys *keys, const struct sp_flow *flow,
                   const struct sp_pkt *pkt)
{
    return pkt->quoted.seq - sp_tag_seal(keys, flow->block, flow->port) <= 1 + SP_FORM_MAX;
}

/* ---- the conversation ---- */

static void go(struct sp_dialog *d, enum state state, uint64_t due_us)
{
    d->state = (uint8_t)state;
    d->due_us = due_us;
}

/* The first answer: only who saw the SYN knows the number to acknowledge. */
static void on_first(struct sp_dialog *d, uint32_t seq, const struct sp_pkt *pkt, uint64_t now_us)
{
    uint8_t kind = kind_of(pkt);
    if (kind == (SP_TCP_RST | SP_TCP_ACK) && pkt->ack - seq <= 1) {
        d->answer = SP_ANSWER_RST;
        d->state = SP_DIALOG_OVER;
    } else if (kind == (SP_TCP_SYN | SP_TCP_ACK) && pkt->ack == seq + 1) {
        d->answer = SP_ANSWER_SYN_ACK;
        d->flags = pkt->window == 0 ? SP_ANSWER_WINDOW_ZERO : 0;
        d->ttl = pkt->ttl;
        d->acked = pkt->ack;
        d->peer = pkt->seq + 1;
        d->tsecr = pkt->tsval;
        d->has_timestamps = pkt->has_timestamps;
        d->until_us = now_us + SP_GIVE_UP;
        go(d, ACK_DUE, now_us);
    }
}

/* What the peer has said is acknowledged with the next segment. */
static void take(struct sp_dialog *d, const struct sp_pkt *pkt)
{
    uint32_t end = pkt->seq + (uint32_t)pkt->payload_len;
    if (has_data(pkt) && end - d->peer < SP_WINDOW) {
        d->peer = end;
        d->tsecr = pkt->has_timestamps ? pkt->tsval : d->tsecr;
    }
}

static void pause_now(struct sp_dialog *d, uint64_t now_us)
{
    d->has_paused = true;
    d->said = d->data_len;
    d->data_len = 0;
    d->sends = 0;
    d->data_us = now_us;
    d->until_us = now_us + (uint64_t)d->pause_ms * 1000 + SP_GIVE_UP;
    go(d, PAUSING, now_us);
}

/* Nothing is said now; who ends the conversation all the same is told, and when. */
static void on_pause(struct sp_dialog *d, const struct sp_pkt *pkt, uint64_t now_us)
{
    bool is_rst = (pkt->tcp_flags & SP_TCP_RST) != 0;
    if (pkt->seq - d->peer >= SP_WINDOW) {
        d->sends = 0; /* the acknowledgement was lost: he asks again */
        d->due_us = now_us;
    } else if (is_rst || (pkt->tcp_flags & SP_TCP_FIN) != 0) {
        d->flags |= SP_ANSWER_CLOSED | (is_rst ? SP_ANSWER_RESET : 0U);
        d->silent_ms = (uint32_t)((now_us - d->data_us) / 1000);
        go(d, is_rst ? SP_DIALOG_OVER : RESET_DUE, now_us);
    } else if (has_data(pkt)) {
        take(d, pkt);
        d->sends = 0;
        d->due_us = now_us;
    }
}

static void on_packet(struct sp_dialog *d, const struct sp_flow *flow, const struct sp_pkt *pkt,
                      struct sp_tech_io *io)
{
    uint32_t seq = sp_tag_seal(io->keys, flow->block, flow->port);
    uint8_t kind = kind_of(pkt);
    if (d->state == WANTED) {
        on_first(d, seq, pkt, io->now_us);
        return;
    }
    if (d->state == PAUSING) {
        on_pause(d, pkt, io->now_us);
        return;
    }
    /* A SYN/ACK again is the peer's retransmission: our data acknowledges it too. */
    bool is_rst = (kind & SP_TCP_RST) != 0;
    uint32_t base = seq + 1 + d->said;
    uint32_t ahead = pkt->ack - base;
    bool acks = (kind & SP_TCP_ACK) != 0 && ahead <= d->data_len;
    /* Whom a SYN proxy calls may refuse: with numbers of his own, for they were never matched. */
    if (kind == (SP_TCP_RST | SP_TCP_ACK) && ahead == 0) {
        d->flags |= SP_ANSWER_RESET;
        d->state = SP_DIALOG_OVER;
        return;
    }
    if ((kind & SP_TCP_SYN) != 0 || pkt->seq - d->peer >= SP_WINDOW || !(acks || is_rst)) {
        return;
    }
    if (pkt->ttl != d->ttl) {
        d->flags |= SP_ANSWER_TTL_CHANGED;
    }
    if (acks && ahead > d->acked - base) {
        d->acked = pkt->ack;
    }
    bool all = acks && d->data_len > 0 && ahead == d->data_len;
    if (all) {
        d->flags |= SP_ANSWER_DATA_ACKED;
    }
    if (all && has_data(pkt)) {
        d->answer = SP_ANSWER_DATA;
        unsigned status = sp_form_status(pkt->payload, pkt->payload_len);
        d->status = d->status ? d->status : (uint16_t)status;
        d->flags |= sp_form_is_tls_answer(pkt->payload, pkt->payload_len) ? SP_ANSWER_TLS : 0U;
    }
    if (all && d->has_paused && has_data(pkt)) {
        d->flags |= SP_ANSWER_LASTED;
    }
    if (is_rst) {
        d->flags |= SP_ANSWER_RESET;
        d->state = SP_DIALOG_OVER; /* the peer has no state left, and has told the way so */
    } else if (d->answer == SP_ANSWER_DATA && d->pause_ms > 0 && !d->has_paused &&
               (pkt->tcp_flags & SP_TCP_FIN) == 0) {
        take(d, pkt);
        pause_now(d, io->now_us);
    } else if ((pkt->tcp_flags & SP_TCP_FIN) != 0 ||
               (d->has_paused ? (d->flags & SP_ANSWER_LASTED) != 0 : d->answer == SP_ANSWER_DATA)) {
        go(d, RESET_DUE, io->now_us);
    } else if (all && d->state == DATA_SENT) {
        go(d, DATA_TAKEN, d->until_us);
    }
}

static void reset(struct sp_dialog *d, const struct sp_flow *flow, struct sp_tech_io *io)
{
    struct sp_spec spec = segment(flow, io);
    /* Exactly the next byte that the peer wants, or it would only ask again (RFC 5961 3.2). */
    spec.seq = d->state == WANTED ? spec.seq + 1 : d->acked;
    spec.tcp_flags = SP_TCP_RST;
    (void)io->emit(io, &spec);
    d->state = SP_DIALOG_OVER;
}

static int send_segment(struct sp_dialog *d, const struct sp_flow *flow, struct sp_tech_io *io,
                        bool with_data)
{
    struct sp_spec spec = segment(flow, io);
    spec.seq += 1U + d->said;
    spec.ack = d->peer;
    spec.tcp_flags = SP_TCP_ACK;
    spec.tcp_timestamps = d->has_timestamps;
    spec.tsecr = d->tsecr;
    if (with_data) {
        spec.tcp_flags |= SP_TCP_PSH;
        /* The time of the SYN, so that every copy is the same bytes. */
        if (d->is_hello) {
            spec.payload_len =
                sp_form_hello(io->keys, flow->block, flow->port, d->begun_us, spec.payload);
        } else if (d->is_http) {
            spec.payload_len = sp_form_request(io->keys, flow->block, flow->port, d->begun_us,
                                               &flow->dst, d->path, spec.payload);
        } else {
            sp_tag_write(io->keys, flow->block, flow->port, SP_TAG_PROBE, d->begun_us,
                         spec.payload);
            spec.payload_len = SP_TAG_BYTES;
        }
        d->data_len = (uint16_t)spec.payload_len;
    }
    return io->emit(io, &spec);
}

static void send_data(struct sp_dialog *d, const struct sp_flow *flow, struct sp_tech_io *io)
{
    if (d->sends == 0) {
        d->data_us = io->now_us;
    }
    (void)send_segment(d, flow, io, true); /* a refusal is a loss: the next copy may get through */
    uint64_t due = d->sends < SP_ARRAY_LEN(again) ? d->data_us + again[d->sends] : d->until_us;
    d->sends++;
    go(d, DATA_SENT, due < d->until_us ? due : d->until_us);
}

static void on_timer(struct sp_dialog *d, const struct sp_flow *flow, struct sp_tech_io *io)
{
    if (io->now_us >= d->until_us || d->state == RESET_DUE) {
        reset(d, flow, io);
    } else if (d->state == ACK_DUE) {
        int err = send_segment(d, flow, io, false);
        if (err) {
            d->state = SP_DIALOG_OVER; /* this host's own policy: a RST would be refused too */
        } else if (d->is_mute) {
            go(d, RESET_DUE, io->now_us + SP_MUTE_FOR);
        } else {
            go(d, DATA_DUE, io->now_us + SP_DATA_AFTER);
        }
    } else if (d->state == PAUSING && d->sends == 0) {
        (void)send_segment(d, flow, io, false); /* lost, it is asked for again */
        d->sends = 1;
        d->due_us = d->data_us + (uint64_t)d->pause_ms * 1000;
    } else if (d->state == PAUSING) {
        d->sends = 0;
        send_data(d, flow, io);
    } else if (d->state == DATA_DUE || d->state == DATA_SENT) {
        send_data(d, flow, io);
    } else {
        d->due_us = d->until_us;
    }
}

const struct sp_technique sp_tech_tcp_handshake = {
    .name = "tcp_handshake",
    .ip_proto4 = SP_IPPROTO_TCP,
    .ip_proto6 = SP_IPPROTO_TCP,
    .start = start,
    .wire_dport = wire_dport,
    .match = match,
    .answer = answer,
    .quoted = quoted,
    .patience_us = SP_GIVE_UP,
    .on_packet = on_packet,
    .on_timer = on_timer,
    .stop = reset,
};
