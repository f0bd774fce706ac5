/* SPDX-License-Identifier: Apache-2.0
 *
 * What a sweep found, in ranges of ports with the same observation, and how it is written down for
 * a run that goes on later: field by field, big-endian, in a fixed width. What is read back is
 * untrusted: every field is held against what a sweep can say. */
#ifndef SP_CONTROLLER_SPAN_H
#define SP_CONTROLLER_SPAN_H

#include "probe/base/buf.h"
#include "reports/result.h"

/* The ports lo .. hi that the sweep asked, all seen alike; those between that it did not ask say
 * nothing. */
struct sp_sweep_span {
    uint16_t lo, hi;
    struct sp_seen seen;
    uint8_t grade; /* enum sp_grade */
    bool injected_link;
};

#define SP_SPANS_MAX    65535U /* of one sweep */
#define SP_SPAN_BYTES   95U    /* of one, written down */
#define SP_STATUS_BYTES 52U

struct sp_rd;
/* Appends SP_STATUS_BYTES, SP_SPAN_BYTES. is_run and is_resumed are not kept: what is written down
 * was run, and who reads it resumes it. */
void sp_status_encode(const struct sp_sweep_status *status, struct sp_buf *out);
void sp_span_encode(const struct sp_sweep_span *span, struct sp_buf *out);
/* SP_E_INVALID: cut off, or not what a sweep can have found. is_resumed is set, is_run is not. */
enum sp_rc sp_status_decode(struct sp_rd *rd, struct sp_sweep_status *ret_status) SP_MUST_CHECK;
enum sp_rc sp_span_decode(struct sp_rd *rd, struct sp_sweep_span *ret_span) SP_MUST_CHECK;

#endif
