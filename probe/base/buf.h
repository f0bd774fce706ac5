/* SPDX-License-Identifier: Apache-2.0
 *
 * A growing byte buffer whose maximum is fixed when it is made.
 * Appends after a failure do nothing: check sp_buf_rc() once at the end. The content is always
 * NUL-terminated. */
#ifndef SP_BASE_BUF_H
#define SP_BASE_BUF_H

#include <stddef.h>

#include "probe/base/rc.h"

struct sp_buf {
    char *data; /* NUL-terminated, or NULL when nothing was ever appended */
    size_t len;
    size_t cap;
    size_t max;
    enum sp_rc rc; /* the first failure, sticky */
};

void sp_buf_init(struct sp_buf *buf, size_t max_bytes);
void sp_buf_release(struct sp_buf *buf); /* frees; buf may be used again after sp_buf_init */
void sp_buf_clear(struct sp_buf *buf);   /* empties, keeps the memory and forgets a failure */

void sp_buf_add(struct sp_buf *buf, const void *bytes, size_t len);
void sp_buf_str(struct sp_buf *buf, const char *s);
void sp_buf_char(struct sp_buf *buf, char c);
void sp_buf_fmt(struct sp_buf *buf, const char *fmt, ...) SP_PRINTF(2, 3);
/* Removes the first n bytes (at most len). */
void sp_buf_drain(struct sp_buf *buf, size_t n);

/* The text, never NULL; borrowed until the next change. */
const char *sp_buf_text(const struct sp_buf *buf);
/* Hands the memory over: the caller owns it (sp_free) and buf is empty. NULL after a failure. */
char *sp_buf_take(struct sp_buf *buf) SP_MUST_CHECK;

#endif
