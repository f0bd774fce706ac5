/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/span.h"

#include <string.h>

#include "probe/base/cursor.h"
#include "probe/base/mem.h"

/* A field that is added and not written down would be forgotten by a run that goes on later: add it
 * here, in both directions, and raise the version of the journal (journal_file.c). */
#ifdef __LP64__
_Static_assert(sizeof(struct sp_seen) == 96, "write the new field of sp_seen down");
_Static_assert(sizeof(struct sp_sweep_status) == 56, "write the new field of the status down");
#endif

#define SP_FLAG_SENDER_POLICY  1U
#define SP_FLAG_LOSSLESS       2U
#define SP_FLAG_LOSS_CONFIRMED 4U
#define SP_FLAGS_SEEN          7U

static void put_addr(struct sp_wr *wr, const struct sp_addr *addr)
{
    sp_wr_u8(wr, addr->family);
    sp_wr_bytes(wr, addr->bytes, sizeof(addr->bytes));
}

/* False: no address, and not none. */
static bool get_addr(struct sp_rd *rd, struct sp_addr *addr)
{
    static const uint8_t zeros[16];
    addr->family = sp_rd_u8(rd);
    sp_rd_bytes(rd, addr->bytes, sizeof(addr->bytes));
    size_t len = sp_addr_len(addr);
    bool known = len > 0 || addr->family == SP_FAMILY_NONE;
    return known && memcmp(addr->bytes + len, zeros, sizeof(zeros) - len) == 0;
}

/* 0 or 1; anything else is no bool. */
static bool get_bool(struct sp_rd *rd, bool *good)
{
    uint8_t v = sp_rd_u8(rd);
    *good = *good && v <= 1;
    return v == 1;
}

/* ---- the status ---- */

void sp_status_encode(const struct sp_sweep_status *s, struct sp_buf *out)
{
    uint8_t bytes[SP_STATUS_BYTES];
    struct sp_wr wr;
    sp_wr_init(&wr, bytes, sizeof(bytes));
    sp_wr_u8(&wr, s->injected_link);
    sp_wr_u8(&wr, s->grade);
    sp_wr_u16(&wr, s->passes);
    sp_wr_u32(&wr, s->volleys);
    sp_wr_u32(&wr, s->repeats);
    sp_wr_u32(&wr, s->pps_lowest);
    sp_wr_u32(&wr, s->pps_highest);
    sp_wr_u64(&wr, s->packets);
    sp_wr_u32(&wr, s->beats);
    sp_wr_u32(&wr, s->beats_lost);
    sp_wr_u32(&wr, s->pilot_sent);
    sp_wr_u32(&wr, s->pilot_refused);
    sp_wr_u64(&wr, s->sent_us);
    sp_buf_add(out, bytes, sizeof(bytes));
}

enum sp_rc sp_status_decode(struct sp_rd *rd, struct sp_sweep_status *ret_status)
{
    struct sp_sweep_status s = {.is_resumed = true};
    bool good = true;
    s.injected_link = get_bool(rd, &good);
    s.grade = sp_rd_u8(rd);
    s.passes = sp_rd_u16(rd);
    s.volleys = sp_rd_u32(rd);
    s.repeats = sp_rd_u32(rd);
    s.pps_lowest = sp_rd_u32(rd);
    s.pps_highest = sp_rd_u32(rd);
    s.packets = sp_rd_u64(rd);
    s.beats = sp_rd_u32(rd);
    s.beats_lost = sp_rd_u32(rd);
    s.pilot_sent = sp_rd_u32(rd);
    s.pilot_refused = sp_rd_u32(rd);
    s.sent_us = sp_rd_u64(rd);
    good = good && !rd->bad && s.grade <= SP_GRADE_PAIR && s.beats_lost <= s.beats &&
           s.pilot_refused <= s.pilot_sent;
    if (!good) {
        return SP_E_INVALID;
    }
    *ret_status = s;
    return SP_OK;
}

/* ---- ranges of ports ---- */

static void put_seen(struct sp_wr *wr, const struct sp_seen *seen)
{
    sp_wr_u8(wr, (uint8_t)seen->unsound);
    sp_wr_u8(wr, (uint8_t)((seen->sender_policy ? SP_FLAG_SENDER_POLICY : 0) |
                           (seen->capture_lossless ? SP_FLAG_LOSSLESS : 0) |
                           (seen->loss_confirmed ? SP_FLAG_LOSS_CONFIRMED : 0)));
    sp_wr_u16(wr, seen->attempts);
    sp_wr_u16(wr, seen->nic);
    sp_wr_u16(wr, seen->host);
    sp_wr_u16(wr, seen->opened);
    sp_wr_u16(wr, seen->answer_left);
    sp_wr_u16(wr, seen->answered);
    sp_wr_u16(wr, seen->elsewhere);
    sp_wr_u32(wr, seen->elsewhere_host);
    sp_wr_u16(wr, seen->rewritten);
    put_addr(wr, &seen->captured.src);
    put_addr(wr, &seen->captured.dst);
    sp_wr_u16(wr, seen->captured.sport);
    sp_wr_u16(wr, seen->captured.dport);
    sp_wr_u8(wr, seen->answer);
    sp_wr_u8(wr, seen->answer_code);
    sp_wr_u8(wr, seen->answerer);
    put_addr(wr, &seen->answerer_addr);
    sp_wr_u16(wr, seen->backends);
    sp_wr_u16(wr, seen->backends_reached);
    sp_wr_u16(wr, seen->backends_blind);
    sp_wr_u16(wr, seen->foreign);
    sp_wr_u8(wr, seen->proxy);
}

static bool get_seen(struct sp_rd *rd, struct sp_seen *seen)
{
    uint8_t unsound = sp_rd_u8(rd);
    uint8_t flags = sp_rd_u8(rd);
    seen->unsound = unsound < SP_UNSOUND_COUNT ? (enum sp_unsound)unsound : SP_SOUND;
    seen->sender_policy = (flags & SP_FLAG_SENDER_POLICY) != 0;
    seen->capture_lossless = (flags & SP_FLAG_LOSSLESS) != 0;
    seen->loss_confirmed = (flags & SP_FLAG_LOSS_CONFIRMED) != 0;
    seen->attempts = sp_rd_u16(rd);
    seen->nic = sp_rd_u16(rd);
    seen->host = sp_rd_u16(rd);
    seen->opened = sp_rd_u16(rd);
    seen->answer_left = sp_rd_u16(rd);
    seen->answered = sp_rd_u16(rd);
    seen->elsewhere = sp_rd_u16(rd);
    seen->elsewhere_host = sp_rd_u32(rd);
    seen->rewritten = sp_rd_u16(rd);
    bool good = get_addr(rd, &seen->captured.src);
    good = get_addr(rd, &seen->captured.dst) && good;
    seen->captured.sport = sp_rd_u16(rd);
    seen->captured.dport = sp_rd_u16(rd);
    seen->answer = sp_rd_u8(rd);
    seen->answer_code = sp_rd_u8(rd);
    seen->answerer = sp_rd_u8(rd);
    good = get_addr(rd, &seen->answerer_addr) && good;
    seen->backends = sp_rd_u16(rd);
    seen->backends_reached = sp_rd_u16(rd);
    seen->backends_blind = sp_rd_u16(rd);
    seen->foreign = sp_rd_u16(rd);
    seen->proxy = sp_rd_u8(rd);
    return good && unsound < SP_UNSOUND_COUNT && (flags & ~SP_FLAGS_SEEN) == 0 &&
           seen->answer < SP_ANSWER_END && seen->answerer <= SP_ANSWERER_BEFORE &&
           seen->proxy < SP_PROXY_COUNT;
}

void sp_span_encode(const struct sp_sweep_span *span, struct sp_buf *out)
{
    uint8_t bytes[SP_SPAN_BYTES];
    struct sp_wr wr;
    sp_wr_init(&wr, bytes, sizeof(bytes));
    sp_wr_u16(&wr, span->lo);
    sp_wr_u16(&wr, span->hi);
    sp_wr_u8(&wr, span->grade);
    sp_wr_u8(&wr, span->injected_link);
    put_seen(&wr, &span->seen);
    sp_buf_add(out, bytes, sizeof(bytes));
}

enum sp_rc sp_span_decode(struct sp_rd *rd, struct sp_sweep_span *ret_span)
{
    struct sp_sweep_span span = {.lo = sp_rd_u16(rd)};
    bool good = true;
    span.hi = sp_rd_u16(rd);
    span.grade = sp_rd_u8(rd);
    span.injected_link = get_bool(rd, &good);
    good = get_seen(rd, &span.seen) && good;
    if (!good || rd->bad || span.lo > span.hi || span.grade > SP_GRADE_PAIR) {
        return SP_E_INVALID;
    }
    *ret_span = span;
    return SP_OK;
}
