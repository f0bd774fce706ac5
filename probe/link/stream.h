/* SPDX-License-Identifier: Apache-2.0
 *
 * Records over a byte stream on libevent: whole records in, whole records out, decoded and checked,
 * with a bound on what may wait. Both ends and the privilege line use it. */
#ifndef SP_LINK_STREAM_H
#define SP_LINK_STREAM_H

#include <stdbool.h>

#include "probe/base/rc.h"
#include "probe/wire/record.h"

/* More than this waiting to be written means that the peer does not read: the source is paused. */
#define SP_STREAM_HIGH_WATER (1U << 20)
/* More than this before the last marker is not a login that prints its news. */
#define SP_STREAM_NOISE_MAX  (64U << 10)
/* Of a marker, and of the text behind it. */
#define SP_STREAM_MARKER_MAX 80U

struct event_base;
struct sp_stream;

struct sp_stream_ops {
    /* One decoded record. The stream may be freed inside. */
    void (*on_record)(struct sp_stream *stream, const struct sp_record *record, void *arg);
    /* The stream ended: reason is NULL at a clean end, else what went wrong. Called once; free the
     * stream then. */
    void (*on_end)(struct sp_stream *stream, const char *reason, void *arg);
    /* What waited has drained below half of the high water; may be NULL. */
    void (*on_drained)(struct sp_stream *stream, void *arg);
    /* After sp_stream_expect: text is what stood between the marker and the end of its line. True:
     * records follow; false: go on looking. The stream may be freed inside (then return false). */
    bool (*on_marker)(struct sp_stream *stream, const char *text, void *arg);
};

/* Takes both descriptors (they may be the same); makes them non-blocking. */
enum sp_rc sp_stream_new(struct event_base *base, int in_fd, int out_fd,
                         const struct sp_stream_ops *ops, void *arg,
                         struct sp_stream **ret_stream) SP_MUST_CHECK;
void sp_stream_free(struct sp_stream *stream);
/* The peer is not a probe yet: whatever comes is skipped, at most SP_STREAM_NOISE_MAX bytes, except
 * lines with this marker (at most SP_STREAM_MARKER_MAX bytes), until on_marker says that records
 * follow. Call it before the first turn of the loop. */
void sp_stream_expect(struct sp_stream *stream, const char *marker);
/* The last line that was skipped, printable; "" when there was none. Borrowed. */
const char *sp_stream_noise(const struct sp_stream *stream);
/* Queues bytes as they are: those of lead are copied; those of body are borrowed until the stream
 * is freed, so that many streams can share one body. */
enum sp_rc sp_stream_send_bytes(struct sp_stream *stream, const void *lead, size_t lead_len,
                                const void *body, size_t body_len) SP_MUST_CHECK;
/* Queues a record. */
void sp_stream_send(struct sp_stream *stream, const struct sp_record *record);
size_t sp_stream_waiting(const struct sp_stream *stream);
void sp_stream_pause(struct sp_stream *stream, bool paused);

#endif
