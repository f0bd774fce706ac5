/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/ledger.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "controller/state_dir.h"
#include "probe/base/buf.h"
#include "probe/base/clock.h"
#include "probe/base/cursor.h"
#include "probe/base/hash.h"
#include "probe/base/mem.h"
#include "probe/base/table.h"
#include "reports/sink.h"

#define SP_LEDGER_MAX  16000000U /* conversations of one run */
#define SP_LEDGER_KEEP 1000000U  /* conversations handed on to later runs: the newest */
#define SP_LEDGER_LOOK 64U       /* ports looked at before an allowed flow is repeated */
#define SP_LEDGER_MARK 6U        /* bytes of the magic that every version begins with */
#define SP_LEDGER_ROW  12U       /* bytes of one in the file: hash 8, seconds 4 */
static const char magic[8] = "SPLEDG1\n";

struct entry {
    uint64_t conversation;
    uint32_t at_s;
};

struct sp_ledger {
    char *path;
    struct sp_table known;
    struct entry *entries;
    size_t n, cap;
    uint16_t lo, hi, next;
};

/* A conversation in one direction; its reverse has another hash. Not secret: it only has to be the
 * same in every run. */
static uint64_t conversation(const struct sp_addr *a, const struct sp_addr *b, uint8_t proto,
                             uint16_t aport, uint16_t bport)
{
    static const struct sp_hash_key key = {0x736567706c656467ULL, 0x65722d7631000000ULL};
    uint8_t text[2 * sizeof(struct sp_addr) + 5];
    memcpy(text, a, sizeof(*a));
    memcpy(text + sizeof(*a), b, sizeof(*b));
    uint8_t *p = text + 2 * sizeof(*a);
    p[0] = proto;
    p[1] = (uint8_t)(aport >> 8);
    p[2] = (uint8_t)aport;
    p[3] = (uint8_t)(bport >> 8);
    p[4] = (uint8_t)bport;
    return sp_siphash(&key, text, sizeof(text));
}

/* A source port that a sweep used, to any port. With a key of its own: none is ever taken for a
 * conversation. */
static uint64_t swept(const struct sp_addr *a, const struct sp_addr *b, uint8_t proto,
                      uint16_t sport)
{
    static const struct sp_hash_key key = {0x736567706c656467ULL, 0x65722d7377656570ULL};
    uint8_t text[2 * sizeof(struct sp_addr) + 3];
    memcpy(text, a, sizeof(*a));
    memcpy(text + sizeof(*a), b, sizeof(*b));
    uint8_t *p = text + 2 * sizeof(*a);
    p[0] = proto;
    p[1] = (uint8_t)(sport >> 8);
    p[2] = (uint8_t)sport;
    return sp_siphash(&key, text, sizeof(text));
}

static enum sp_rc note(struct sp_ledger *ledger, uint64_t hash, uint32_t at_s)
{
    if (ledger->n >= SP_LEDGER_MAX) {
        return SP_E_LIMIT;
    }
    if (sp_grow((void **)&ledger->entries, ledger->n, &ledger->cap, sizeof(*ledger->entries)) !=
            0 ||
        sp_table_put(&ledger->known, hash, (uint32_t)ledger->n) != SP_OK) {
        return SP_E_NOMEM;
    }
    ledger->entries[ledger->n++] = (struct entry){hash, at_s};
    return SP_OK;
}

/* Takes over what is still young. A file that is not a ledger is ignored: it only makes us more
 * careful next time. */
static enum sp_rc load(struct sp_ledger *ledger)
{
    FILE *f = ledger->path ? fopen(ledger->path, "re") : NULL;
    char head[sizeof(magic)];
    uint8_t row[SP_LEDGER_ROW];
    enum sp_rc rc = SP_OK;
    uint32_t now = (uint32_t)sp_wall_s();
    if (!f) {
        return SP_OK;
    }
    struct stat st;
    size_t rows = fstat(fileno(f), &st) == 0 && st.st_size > (off_t)sizeof(head)
                      ? ((size_t)st.st_size - sizeof(head)) / SP_LEDGER_ROW
                      : 0;
    size_t skip = rows > SP_LEDGER_KEEP ? rows - SP_LEDGER_KEEP : 0;
    if (fread(head, sizeof(head), 1, f) == 1 && memcmp(head, magic, sizeof(magic)) == 0 &&
        fseek(f, (long)(skip * SP_LEDGER_ROW), SEEK_CUR) == 0) {
        while (rc == SP_OK && fread(row, sizeof(row), 1, f) == 1) {
            struct sp_rd rd;
            sp_rd_init(&rd, row, sizeof(row));
            uint64_t hash = sp_rd_u64(&rd);
            uint32_t at_s = sp_rd_u32(&rd);
            /* Written by a clock that was set back since: as young as can be, never forgotten. */
            at_s = at_s > now ? now : at_s;
            if (now - at_s < SP_LEDGER_MEMORY_S) {
                rc = note(ledger, hash, at_s);
            }
        }
    }
    (void)fclose(f);
    return rc == SP_E_LIMIT ? SP_OK : rc;
}

enum sp_rc sp_ledger_open(const char *path, uint16_t sport_lo, uint16_t sport_hi, uint64_t seed,
                          struct sp_ledger **ret_ledger)
{
    struct sp_ledger *ledger = sp_calloc(1, sizeof(*ledger));
    if (!ledger) {
        return SP_E_NOMEM;
    }
    sp_table_init(&ledger->known);
    ledger->lo = sport_lo;
    ledger->hi = sport_hi;
    struct sp_rng rng = {seed};
    ledger->next = (uint16_t)(sport_lo + sp_rng_below(&rng, (uint64_t)(sport_hi - sport_lo) + 1));
    enum sp_rc rc = SP_OK;
    if (path) {
        ledger->path = sp_strdup(path);
        rc = ledger->path ? load(ledger) : SP_E_NOMEM;
    }
    if (rc != SP_OK) {
        sp_ledger_free(ledger);
        return rc;
    }
    *ret_ledger = ledger;
    return SP_OK;
}

enum sp_rc sp_ledger_check(const char *path, struct sp_diag *diag)
{
    char head[sizeof(magic)];
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(head, 1, sizeof(head), f) : 0;
    if (f) {
        (void)fclose(f);
    }
    n = n < SP_LEDGER_MARK ? n : SP_LEDGER_MARK;
    return memcmp(head, magic, n) == 0
               ? SP_OK
               : sp_fail(diag, SP_E_INVALID, path,
                         "this is no state file of segproof, and saving would destroy it: name "
                         "another, or remove it");
}

void sp_ledger_free(struct sp_ledger *ledger)
{
    if (ledger) {
        sp_table_release(&ledger->known);
        sp_free(ledger->entries);
        sp_free(ledger->path);
        sp_free(ledger);
    }
}

uint16_t sp_ledger_take(struct sp_ledger *ledger, const struct sp_addr *src,
                        const struct sp_addr *dst, uint8_t proto, uint16_t dport,
                        bool must_be_fresh)
{
    uint32_t tries = (uint32_t)(ledger->hi - ledger->lo) + 1;
    uint16_t used = 0; /* the first that is only a repetition */
    uint32_t used_row = SP_NO_ROW;
    for (uint32_t i = 0; i < tries; i++) {
        uint16_t sport = ledger->next;
        ledger->next = sport == ledger->hi ? ledger->lo : (uint16_t)(sport + 1);
        uint64_t there = conversation(src, dst, proto, sport, dport);
        uint64_t back = conversation(dst, src, proto, dport, sport);
        if (sp_table_get(&ledger->known, back) != SP_NO_ROW ||
            sp_table_get(&ledger->known, swept(src, dst, proto, sport)) != SP_NO_ROW ||
            sp_table_get(&ledger->known, swept(dst, src, proto, dport)) != SP_NO_ROW) {
            continue;
        }
        uint32_t row = sp_table_get(&ledger->known, there);
        if (row == SP_NO_ROW) {
            return note(ledger, there, (uint32_t)sp_wall_s()) == SP_OK ? sport : 0;
        }
        used_row = used ? used_row : row;
        used = used ? used : sport;
        if (!must_be_fresh && i >= SP_LEDGER_LOOK) {
            break;
        }
    }
    if (must_be_fresh || !used) {
        return 0;
    }
    ledger->entries[used_row].at_s = (uint32_t)sp_wall_s(); /* its state lives from now on anew */
    return used;
}

uint16_t sp_ledger_note(struct sp_ledger *ledger, const struct sp_addr *src,
                        const struct sp_addr *dst, uint8_t proto, uint16_t sport, uint16_t dport)
{
    uint64_t there = conversation(src, dst, proto, sport, dport);
    uint32_t row = sp_table_get(&ledger->known, there);
    if (row != SP_NO_ROW) {
        ledger->entries[row].at_s = (uint32_t)sp_wall_s();
        return sport;
    }
    return note(ledger, there, (uint32_t)sp_wall_s()) == SP_OK ? sport : 0;
}

bool sp_ledger_opens(const struct sp_ledger *ledger, const struct sp_addr *src,
                     const struct sp_addr *dst, uint8_t proto, uint16_t sport, uint16_t dport)
{
    return sp_table_get(&ledger->known, conversation(dst, src, proto, dport, sport)) != SP_NO_ROW ||
           sp_table_get(&ledger->known, swept(dst, src, proto, dport)) != SP_NO_ROW;
}

/* ---- sweeps ---- */

/* Who a sweep goes between. */
struct lane {
    const struct sp_addr *src, *dst;
    uint8_t proto;
};

/* When a sweep of the lane last used the port; 0 = not within memory. */
static uint32_t swept_at(const struct sp_ledger *ledger, const struct lane *lane, uint32_t sport)
{
    uint32_t row =
        sp_table_get(&ledger->known, swept(lane->src, lane->dst, lane->proto, (uint16_t)sport));
    return row == SP_NO_ROW ? 0 : ledger->entries[row].at_s;
}

/* The first of n ports of from .. to that no sweep used; 0 = there are none. */
static uint32_t fresh_ports(const struct sp_ledger *ledger, const struct lane *lane, uint32_t from,
                            uint32_t to, uint32_t n)
{
    uint32_t first = from;
    for (uint32_t port = from; port <= to; port++) {
        if (swept_at(ledger, lane, port)) {
            first = port + 1;
        } else if (port - first + 1 == n) {
            return first;
        }
    }
    return 0;
}

/* The first of those n whose last use is the longest ago. */
static uint32_t oldest_ports(const struct sp_ledger *ledger, const struct lane *lane, uint32_t lo,
                             uint32_t hi, uint32_t n)
{
    uint32_t best = lo;
    uint32_t best_at = UINT32_MAX;
    for (uint32_t first = lo; first + n - 1 <= hi; first++) {
        uint32_t last_at = 0;
        uint32_t newest = first;
        for (uint32_t port = first; port < first + n; port++) {
            uint32_t at = swept_at(ledger, lane, port);
            newest = at >= last_at ? port : newest;
            last_at = at > last_at ? at : last_at;
        }
        if (last_at < best_at) {
            best = first;
            best_at = last_at;
        } else {
            first = newest; /* whatever holds that port is no better */
        }
    }
    return best;
}

bool sp_ledger_take_sports(struct sp_ledger *ledger, const struct sp_addr *src,
                           const struct sp_addr *dst, uint8_t proto, struct sp_sports range,
                           uint16_t *ret_first, bool *ret_is_fresh)
{
    const struct lane lane = {src, dst, proto};
    const uint16_t lo = range.lo;
    const uint16_t hi = range.hi;
    const uint16_t n = range.n;
    if (lo == 0 || lo > hi || n == 0 || n > (uint32_t)(hi - lo) + 1) {
        return false;
    }
    /* From somewhere in the range, so that neighbours do not all begin alike. */
    uint32_t start =
        lo + (uint32_t)((swept(src, dst, proto, 0) ^ ledger->next) % ((uint32_t)(hi - lo) + 2 - n));
    uint32_t first = fresh_ports(ledger, &lane, start, hi, n);
    first = first ? first : fresh_ports(ledger, &lane, lo, hi, n);
    bool is_fresh = first != 0;
    first = is_fresh ? first : oldest_ports(ledger, &lane, lo, hi, n);
    for (uint32_t port = first; port < first + n; port++) {
        uint64_t hash = swept(src, dst, proto, (uint16_t)port);
        uint32_t row = sp_table_get(&ledger->known, hash);
        if (row != SP_NO_ROW) {
            ledger->entries[row].at_s = (uint32_t)sp_wall_s();
        } else if (note(ledger, hash, (uint32_t)sp_wall_s()) != SP_OK) {
            return false;
        }
    }
    *ret_first = (uint16_t)first;
    *ret_is_fresh = is_fresh;
    return true;
}

enum sp_rc sp_ledger_save(const struct sp_ledger *ledger, struct sp_diag *diag)
{
    struct sp_buf out;
    if (!ledger->path) {
        return SP_OK;
    }
    sp_buf_init(&out, sizeof(magic) + (size_t)SP_LEDGER_KEEP * SP_LEDGER_ROW);
    sp_buf_add(&out, magic, sizeof(magic));
    for (size_t i = ledger->n > SP_LEDGER_KEEP ? ledger->n - SP_LEDGER_KEEP : 0; i < ledger->n;
         i++) {
        uint8_t row[SP_LEDGER_ROW];
        struct sp_wr wr;
        sp_wr_init(&wr, row, sizeof(row));
        sp_wr_u64(&wr, ledger->entries[i].conversation);
        sp_wr_u32(&wr, ledger->entries[i].at_s);
        sp_buf_add(&out, row, sizeof(row));
    }
    enum sp_rc rc = out.rc == SP_OK ? sp_sink_write_file(ledger->path, &out, diag)
                                    : sp_fail(diag, out.rc, "ledger", "%s", sp_rc_str(out.rc));
    sp_buf_release(&out);
    return rc;
}

bool sp_ledger_default_path(char *out, size_t size)
{
    return sp_state_path("ledger", out, size);
}
