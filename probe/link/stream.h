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
};

/* Takes both descriptors (they may be the same); makes them non-blocking. */
enum sp_rc sp_stream_new(struct event_base *base, int in_fd, int out_fd,
                         const struct sp_stream_ops *ops, void *arg,
                         struct sp_stream **ret_stream) SP_MUST_CHECK;
void sp_stream_free(struct sp_stream *stream);
/* Queues a record. */
void sp_stream_send(struct sp_stream *stream, const struct sp_record *record);
size_t sp_stream_waiting(const struct sp_stream *stream);
void sp_stream_pause(struct sp_stream *stream, bool paused);

#endif
