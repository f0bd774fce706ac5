/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "probe/base/mem.h"

void sp_buf_init(struct sp_buf *buf, size_t max_bytes)
{
    memset(buf, 0, sizeof(*buf));
    buf->max = max_bytes;
}

void sp_buf_release(struct sp_buf *buf)
{
    sp_free(buf->data);
    sp_buf_init(buf, buf->max);
}

void sp_buf_clear(struct sp_buf *buf)
{
    buf->len = 0;
    buf->rc = SP_OK;
    if (buf->data) {
        buf->data[0] = '\0';
    }
}

/* Room for extra more bytes and the NUL. */
static int reserve(struct sp_buf *buf, size_t extra)
{
    if (buf->rc != SP_OK) {
        return -1;
    }
    /* A quarter of the address space is out of reach anyway; below it the sums cannot overflow. */
    size_t max = buf->max < SIZE_MAX / 4 ? buf->max : SIZE_MAX / 4;
    if (extra > max || buf->len > max - extra) {
        buf->rc = SP_E_LIMIT;
        return -1;
    }
    size_t need = buf->len + extra + 1;
    if (buf->data && need <= buf->cap) {
        return 0;
    }
    size_t want = buf->cap ? buf->cap : 64;
    while (want < need) {
        want *= 2;
    }
    char *bigger = sp_reallocarray(buf->data, want, 1);
    if (!bigger) {
        buf->rc = SP_E_NOMEM;
        return -1;
    }
    buf->data = bigger;
    buf->cap = want;
    return 0;
}

void sp_buf_add(struct sp_buf *buf, const void *bytes, size_t len)
{
    if (reserve(buf, len) != 0) {
        return;
    }
    if (len) {
        memcpy(buf->data + buf->len, bytes, len);
    }
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void sp_buf_str(struct sp_buf *buf, const char *s)
{
    sp_buf_add(buf, s, strlen(s));
}

void sp_buf_char(struct sp_buf *buf, char c)
{
    sp_buf_add(buf, &c, 1);
}

void sp_buf_fmt(struct sp_buf *buf, const char *fmt, ...)
{
    char small[256];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(small, sizeof(small), fmt, ap);
    va_end(ap);
    if (n < 0) {
        buf->rc = buf->rc == SP_OK ? SP_E_INVALID : buf->rc;
        return;
    }
    if ((size_t)n < sizeof(small)) {
        sp_buf_add(buf, small, (size_t)n);
        return;
    }
    if (reserve(buf, (size_t)n) != 0) {
        return;
    }
    va_start(ap, fmt);
    (void)vsnprintf(buf->data + buf->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    buf->len += (size_t)n;
}

void sp_buf_drain(struct sp_buf *buf, size_t n)
{
    if (!buf->data || n == 0) {
        return;
    }
    n = n < buf->len ? n : buf->len;
    memmove(buf->data, buf->data + n, buf->len - n + 1);
    buf->len -= n;
}

const char *sp_buf_text(const struct sp_buf *buf)
{
    return buf->data ? buf->data : "";
}

char *sp_buf_take(struct sp_buf *buf)
{
    if (!buf->data) {
        sp_buf_add(buf, "", 0);
    }
    if (buf->rc != SP_OK) {
        return NULL;
    }
    char *data = buf->data;
    size_t max = buf->max;
    sp_buf_init(buf, max);
    return data;
}
