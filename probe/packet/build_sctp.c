/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "probe/base/crc32c.h"
#include "probe/packet/build_priv.h"
#include "probe/packet/sctpform.h"

#define SP_SCTP_PARAMETER  0xbf47U /* not assigned; 10: skip it, do not report it */
#define SP_SCTP_USER_ABORT 12U     /* cause: "user-initiated abort", with a reason */

static void put32(uint8_t *at, uint32_t value)
{
    sp_put16(at, value >> 16);
    sp_put16(at + 2, value & 0xffff);
}

/* Everything of the chunk but its header. Returns where the payload goes. */
static size_t write_chunk(const struct sp_spec *spec, uint8_t *out)
{
    switch (spec->sctp_chunk) {
    case SP_SCTP_INIT:
    case SP_SCTP_INIT_ACK:
        put32(out + 16, spec->sctp_tag);
        put32(out + 20, 65536); /* window */
        sp_put16(out + 24, 1);  /* streams out and in */
        sp_put16(out + 26, 1);
        put32(out + 28, spec->sctp_tag); /* first TSN */
        sp_put16(out + 32, SP_SCTP_PARAMETER);
        sp_put16(out + 34, 4 + spec->payload_len);
        return SP_SCTP_TAG_INIT;
    case SP_SCTP_ABORT:
        sp_put16(out + 16, SP_SCTP_USER_ABORT);
        sp_put16(out + 18, 4 + spec->payload_len);
        return SP_SCTP_TAG_ABORT;
    default:
        return SP_SCTP_TAG_COOKIE;
    }
}

size_t sp_sctpform_write(const struct sp_spec *spec, uint8_t out[static SP_SCTPFORM_MAX])
{
    memset(out, 0, SP_SCTP_TAG_INIT);
    sp_put16(out, spec->sport);
    sp_put16(out + 2, spec->dport);
    put32(out + 4, spec->sctp_vtag);
    out[12] = spec->sctp_chunk;
    size_t at = write_chunk(spec, out);
    memcpy(out + at, spec->payload, spec->payload_len);
    size_t len = at + spec->payload_len;
    sp_put16(out + 14, len - 12);
    uint32_t crc = sp_crc32c(out, len);
    for (size_t i = 0; i < 4; i++) {
        out[8 + i] = (uint8_t)(crc >> 8 * i);
    }
    return len;
}
