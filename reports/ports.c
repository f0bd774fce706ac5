/* SPDX-License-Identifier: Apache-2.0
 *
 * Port lists for people and machines: numbers that follow each other become a range, and nothing
 * else does, so a list never names a port that it does not mean. */
#include "probe/base/proto.h"
#include "reports/group.h"

static bool is_icmp(uint8_t proto)
{
    return proto == SP_PROTO_ICMP || proto == SP_PROTO_ICMP6;
}

void sp_ports_range(struct sp_buf *out, uint8_t proto, uint16_t lo, uint16_t hi)
{
    char text[SP_PORTSPEC_STRLEN];
    unsigned type = (unsigned)lo >> 8;
    if (out->len > 0) {
        sp_buf_char(out, ',');
    }
    if (lo == hi) {
        sp_buf_str(out, sp_proto_port_str(proto, lo, text));
    } else if (!is_icmp(proto)) {
        sp_buf_fmt(out, "%u-%u", (unsigned)lo, (unsigned)hi);
    } else if ((lo & 0xff) == 0 && hi == (lo | 0xff)) {
        /* Every code of one ICMP type: its name, or the bare number of the type. */
        const char *name = sp_proto_port_str(proto, lo, text);
        if (name[0] >= '0' && name[0] <= '9') {
            sp_buf_fmt(out, "%u", type);
        } else {
            sp_buf_str(out, name);
        }
    } else {
        sp_buf_fmt(out, "%u.%u-%u.%u", type, lo & 0xffU, (unsigned)hi >> 8, hi & 0xffU);
    }
}

void sp_ports_of(struct sp_buf *out, const struct sp_entry *entries, size_t n,
                 bool (*keep)(const struct sp_entry *entry, const void *ctx), const void *ctx)
{
    bool running = false;
    uint16_t lo = 0;
    uint16_t hi = 0;
    for (size_t i = 0; i < n; i++) {
        const struct sp_entry *e = &entries[i];
        if (keep && !keep(e, ctx)) {
            continue;
        }
        if (running && e->port <= hi + 1) {
            hi = e->port_hi > hi ? e->port_hi : hi;
            continue;
        }
        if (running) {
            sp_ports_range(out, e->proto, lo, hi);
        }
        running = true;
        lo = e->port;
        hi = e->port_hi;
    }
    if (running) {
        sp_ports_range(out, entries[0].proto, lo, hi);
    }
}
