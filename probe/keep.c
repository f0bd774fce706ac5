/* SPDX-License-Identifier: Apache-2.0
 *
 * The memory: a hash table of offsets, then three shares, each filled from its start. An offset is
 * where a row begins; 0, which is inside the hash table, means none. */
#include "probe/keep.h"

#include <string.h>

#include "probe/base/cursor.h"
#include "probe/base/mem.h"

/* A packet and its head take about this much; so the chains stay short. */
#define SP_KEEP_TYPICAL   128U
#define SP_KEEP_MIN_BYTES 4096U
#define SP_IPV6_HEAD      40U

struct row {
    uint32_t next;
    struct sp_kept kept;
    /* kept.len bytes follow */
};

void sp_keep_init(struct sp_keep *keep)
{
    memset(keep, 0, sizeof(*keep));
}

void sp_keep_release(struct sp_keep *keep)
{
    sp_free(keep->memory);
    sp_keep_init(keep);
}

static uint32_t aligned(size_t n)
{
    const size_t to = _Alignof(struct row);
    return (uint32_t)((n + to - 1) / to * to);
}

void sp_keep_start(struct sp_keep *keep, uint32_t max_bytes)
{
    sp_keep_release(keep);
    uint32_t bytes = max_bytes < SP_KEEP_MAX_BYTES ? max_bytes : SP_KEEP_MAX_BYTES;
    if (bytes < SP_KEEP_MIN_BYTES) {
        return;
    }
    keep->memory = sp_calloc(1, bytes);
    if (!keep->memory) {
        return;
    }
    keep->nbuckets = bytes / SP_KEEP_TYPICAL;
    uint32_t from = aligned(keep->nbuckets * sizeof(uint32_t));
    /* Half for what is sent: there is always more of it than of what comes. */
    uint32_t quarter = (bytes - from) / 4;
    const uint32_t sizes[SP_SHARE_END] = {2 * quarter, quarter, quarter};
    for (int i = 0; i < SP_SHARE_END; i++) {
        keep->shares[i].at = aligned(from);
        keep->shares[i].end = from += sizes[i];
    }
}

static enum sp_keep_share share_of(uint8_t role)
{
    return role == SP_KEPT_SENT                               ? SP_SHARE_SENT
           : role == SP_KEPT_ARRIVED || role == SP_KEPT_STRAY ? SP_SHARE_ARRIVED
                                                              : SP_SHARE_ANSWERS;
}

static uint32_t *bucket(const struct sp_keep *keep, uint16_t block, uint16_t port)
{
    /* Both are the controller's own numbers: no packet chooses its bucket. */
    uint32_t mixed = ((uint32_t)block << 16 | port) * 2654435761U;
    return (uint32_t *)(void *)keep->memory + (mixed >> 7) % keep->nbuckets;
}

static struct row *row_at(const struct sp_keep *keep, uint32_t offset)
{
    return (struct row *)(void *)(keep->memory + offset);
}

/* What the packet says of its own length; 0 when it does not. */
static size_t length_told(const uint8_t *ip, size_t len)
{
    struct sp_rd rd;
    sp_rd_init(&rd, ip, len);
    uint8_t version = sp_rd_u8(&rd) >> 4;
    sp_rd_skip(&rd, version == 6 ? 3 : 1);
    size_t told = sp_rd_u16(&rd);
    if (rd.bad || (version != 4 && version != 6) || told == 0) {
        return 0; /* 0: a jumbogram, or one that the kernel has joined from many */
    }
    return version == 6 ? told + SP_IPV6_HEAD : told;
}

void sp_keep_add(struct sp_keep *keep, const struct sp_kept *head, const uint8_t *ip, size_t len)
{
    if (!keep->memory || head->role >= SP_KEPT_END || len == 0) {
        return;
    }
    uint32_t same = 0;
    uint32_t *last = bucket(keep, head->block, head->port);
    while (*last != 0) {
        struct row *row = row_at(keep, *last);
        same += row->kept.block == head->block && row->kept.port == head->port &&
                row->kept.role == head->role;
        last = &row->next;
    }
    size_t told = length_told(ip, len);
    size_t wire = told ? told : len;
    size_t kept = len < wire ? len : wire;
    kept = kept < SP_KEPT_MAX_BYTES ? kept : SP_KEPT_MAX_BYTES;
    enum sp_keep_share share = share_of(head->role);
    uint32_t need = aligned(sizeof(struct row) + kept);
    uint32_t at = keep->shares[share].at;
    if (same >= SP_KEEP_PER_ROLE || at > keep->shares[share].end ||
        need > keep->shares[share].end - at) {
        keep->lost += keep->lost < UINT32_MAX;
        return;
    }
    struct row *row = row_at(keep, at);
    row->kept = *head;
    row->kept.len = (uint16_t)kept;
    row->kept.wire_len = (uint16_t)(wire < UINT16_MAX ? wire : UINT16_MAX);
    memcpy(row + 1, ip, kept);
    *last = at;
    keep->shares[share].at = at + need;
}

uint32_t sp_keep_each(const struct sp_keep *keep, uint16_t block, uint16_t port, sp_keep_fn fn,
                      void *arg)
{
    uint32_t n = 0;
    for (uint32_t at = keep->memory ? *bucket(keep, block, port) : 0; at != 0;) {
        const struct row *row = row_at(keep, at);
        if (row->kept.block == block && row->kept.port == port) {
            fn(arg, &row->kept, (const uint8_t *)(row + 1));
            n++;
        }
        at = row->next;
    }
    return n;
}
