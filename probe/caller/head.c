/* SPDX-License-Identifier: Apache-2.0
 *
 * What a peer says first: an HTTP/1 head (RFC 9112 2.1), a frame of HTTP/2 (RFC 9113 4.1), a TLS
 * record (RFC 8446 5.1), or something else. */
#include <string.h>

#include "probe/caller/talk.h"

#define FRAME_HEAD     9U
#define FRAME_MAX      16384U
#define FRAME_SETTINGS 4U
#define FRAME_GOAWAY   7U
#define INFORMATIONAL  200U /* and below: another head follows */

/* Behind the empty line, or NULL while there is none. */
static const char *head_end(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n' && i + 1 < len && bytes[i + 1] == '\n') {
            return bytes + i + 2;
        }
        if (bytes[i] == '\n' && i + 2 < len && bytes[i + 1] == '\r' && bytes[i + 2] == '\n') {
            return bytes + i + 3;
        }
    }
    return NULL;
}

/* "HTTP/1.1 200": 0 when it is none. */
static unsigned read_status(const char *bytes, size_t len)
{
    static const char like[] = "HTTP/d.d ddd";
    unsigned status = 0;
    for (size_t i = 0; i < sizeof(like) - 1; i++) {
        bool is_digit = i < len && bytes[i] >= '0' && bytes[i] <= '9';
        if (i >= len || (like[i] == 'd' ? !is_digit : bytes[i] != like[i])) {
            return 0;
        }
        status = i >= 9 ? status * 10 + (unsigned)(bytes[i] - '0') : 0;
    }
    return status >= 100 ? status : 0;
}

static bool is_field(const char *line, const char *end, const char *name)
{
    for (; *name; name++, line++) {
        char c = line < end ? *line : '\0';
        c = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
        if (c != *name) {
            return false;
        }
    }
    return true;
}

static void read_location(const char *bytes, const char *end, char *out, size_t size)
{
    static const char name[] = "location:";
    while (bytes < end) {
        const char *stop = memchr(bytes, '\n', (size_t)(end - bytes));
        stop = stop ? stop : end;
        if (is_field(bytes, stop, name)) {
            const char *at = bytes + sizeof(name) - 1;
            size_t n = 0;
            while (at < stop && (*at == ' ' || *at == '\t')) {
                at++;
            }
            for (; at < stop && *at != '\r' && n + 1 < size; at++) {
                out[n++] = (char)(*at > 0x20 && *at < 0x7f ? *at : '?');
            }
            out[n] = '\0';
            return;
        }
        bytes = stop + 1;
    }
}

static bool read_http(const char *bytes, size_t len, unsigned *ret_status, char *location,
                      size_t location_size)
{
    for (unsigned heads = 0; heads < 8; heads++) {
        const char *end = head_end(bytes, len);
        unsigned status = read_status(bytes, len);
        if (status >= INFORMATIONAL || !end) {
            *ret_status = status;
            read_location(bytes, end ? end : bytes, location, location_size);
            return end != NULL;
        }
        len -= (size_t)(end - bytes);
        bytes = end;
    }
    return true;
}

bool sp_talk_read_head(const char *bytes, size_t len, uint8_t *ret_kind, unsigned *ret_status,
                       char *location, size_t location_size)
{
    const unsigned char *b = (const unsigned char *)bytes;
    *ret_kind = len > 0 ? SP_TALK_OTHER_BYTES : SP_TALK_NO_BYTES;
    *ret_status = 0;
    location[0] = '\0';
    if (len >= 2 && b[0] >= 0x14 && b[0] <= 0x17 && b[1] == 3) {
        *ret_kind = SP_TALK_TLS_BYTES;
        return true;
    }
    if (len < FRAME_HEAD) {
        return false;
    }
    if (memcmp(bytes, "HTTP/", 5) == 0) {
        *ret_kind = SP_TALK_HTTP_HEAD;
        return read_http(bytes, len, ret_status, location, location_size);
    }
    unsigned size = (unsigned)b[0] << 16 | (unsigned)b[1] << 8 | b[2];
    bool is_connection = (b[5] & 0x7fU) == 0 && b[6] == 0 && b[7] == 0 && b[8] == 0;
    if (is_connection && size <= FRAME_MAX && b[3] == FRAME_SETTINGS && size % 6 == 0) {
        *ret_kind = SP_TALK_H2_FRAMES;
    } else if (is_connection && size <= FRAME_MAX && b[3] == FRAME_GOAWAY && size >= 8) {
        *ret_kind = SP_TALK_H2_AWAY;
    }
    return true;
}
