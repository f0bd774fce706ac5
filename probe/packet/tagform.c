/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/packet/tagform.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "probe/base/str.h"

#define PROXY1_MAX 107U /* with its CRLF */

static const uint8_t proxy2[12] = {13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10};
static const char header_name[] = "X-Segproof:";

/* A ClientHello of TLS 1.2 around the 28 bytes of the tag: record and handshake headers and version
 * before it; then the last four bytes of the random, no session, ciphers that nearly every server
 * knows, no compression; groups, point formats, signatures, renegotiation. */
static const uint8_t hello_head[] = {0x16, 0x03, 0x01, 0x00, 0x72, 0x01,
                                     0x00, 0x00, 0x6e, 0x03, 0x03};
static const uint8_t hello_tail[] = {
    0x73, 0x65, 0x67, 0x70, 0x00, 0x00, 0x14, 0xc0, 0x2f, 0xc0, 0x30, 0xc0, 0x2b, 0xc0, 0x2c, 0xc0,
    0x13, 0xc0, 0x14, 0x00, 0x9c, 0x00, 0x9d, 0x00, 0x2f, 0x00, 0x35, 0x01, 0x00, 0x00, 0x31, 0x00,
    0x0a, 0x00, 0x08, 0x00, 0x06, 0x00, 0x1d, 0x00, 0x17, 0x00, 0x18, 0x00, 0x0b, 0x00, 0x02, 0x01,
    0x00, 0x00, 0x0d, 0x00, 0x16, 0x00, 0x14, 0x04, 0x03, 0x05, 0x03, 0x06, 0x03, 0x08, 0x04, 0x08,
    0x05, 0x08, 0x06, 0x04, 0x01, 0x05, 0x01, 0x06, 0x01, 0x02, 0x01, 0xff, 0x01, 0x00, 0x01, 0x00};
#define HELLO_BYTES (sizeof(hello_head) + SP_TAG_BYTES + sizeof(hello_tail))

/* Does text begin with prefix? PART: so far yes, but text ends first. */
static enum sp_form_state begins(const uint8_t *text, size_t len, const void *prefix, size_t n)
{
    if (memcmp(text, prefix, len < n ? len : n) != 0) {
        return SP_FORM_NONE;
    }
    return len < n ? SP_FORM_PART : SP_FORM_TAG;
}

/* "PROXY TCP4 192.0.2.1 192.0.2.2 1000 443" without its end of line; UNKNOWN names nobody. */
static bool read_proxy1(const uint8_t *line, size_t len, struct sp_addr *ret_client)
{
    char text[PROXY1_MAX + 1];
    char family[8], src[SP_ADDR_STRLEN], dst[SP_ADDR_STRLEN], sport[8], dport[8], more[2];
    uint64_t port = 0;
    struct sp_addr server;
    memcpy(text, line, len);
    text[len] = '\0';
    if (len >= 13 && memcmp(text, "PROXY UNKNOWN", 13) == 0) {
        return len == 13 || text[13] == ' ';
    }
    if (sscanf(text, "PROXY %7s %45s %45s %7s %7s%1s", family, src, dst, sport, dport, more) != 5 ||
        sp_addr_parse(src, ret_client) != SP_OK || sp_addr_parse(dst, &server) != SP_OK) {
        return false;
    }
    const char *want = ret_client->family == SP_FAMILY_IPV4 ? "TCP4" : "TCP6";
    return server.family == ret_client->family && strcmp(family, want) == 0 &&
           sp_parse_uint(sport, UINT16_MAX, &port) == SP_OK &&
           sp_parse_uint(dport, UINT16_MAX, &port) == SP_OK;
}

/* LOCAL (a health check) names nobody; PROXY names a client of TCP over IPv4 or IPv6. */
static bool read_proxy2(const uint8_t *bytes, size_t whole, struct sp_addr *ret_client)
{
    size_t n = bytes[13] == 0x11 ? 4U : bytes[13] == 0x21 ? 16U : 0U;
    if (bytes[12] == 0x20) {
        return true;
    }
    if (bytes[12] != 0x21 || n == 0 || whole < 16 + 2 * n + 4) {
        return false;
    }
    ret_client->family = n == 4 ? SP_FAMILY_IPV4 : SP_FAMILY_IPV6;
    memcpy(ret_client->bytes, bytes + 16, n);
    return true;
}

/* Steps over a PROXY header; *ret_skip is 0 when there is none. One that breaks its own rules is
 * stepped over too, where its end can be told, so that it can be named. */
static enum sp_form_state skip_proxy(const uint8_t *bytes, size_t len, size_t *ret_skip,
                                     struct sp_form *form)
{
    struct sp_addr client = {0};
    *ret_skip = 0;
    enum sp_form_state one = begins(bytes, len, "PROXY ", 6);
    enum sp_form_state two = begins(bytes, len, proxy2, sizeof(proxy2));
    if (one == SP_FORM_PART || two == SP_FORM_PART) {
        return SP_FORM_PART;
    }
    if (one == SP_FORM_TAG) {
        size_t most = len < PROXY1_MAX ? len : PROXY1_MAX;
        const uint8_t *end = memchr(bytes, '\n', most);
        if (!end) {
            return len < PROXY1_MAX ? SP_FORM_PART : SP_FORM_NONE;
        }
        *ret_skip = (size_t)(end - bytes) + 1;
        bool good = end[-1] == '\r' && read_proxy1(bytes, *ret_skip - 2, &client);
        form->head = good ? SP_HEAD_V1 : SP_HEAD_BAD;
        form->told = good ? client : form->told;
        return SP_FORM_TAG;
    }
    if (two == SP_FORM_TAG) {
        if (len < 16) {
            return SP_FORM_PART;
        }
        size_t whole = 16U + ((size_t)bytes[14] << 8 | bytes[15]);
        if (whole > SP_FORM_HEAD) {
            return SP_FORM_NONE;
        }
        *ret_skip = whole;
        if (len < whole) {
            return SP_FORM_PART;
        }
        bool good = read_proxy2(bytes, whole, &client);
        form->head = good ? SP_HEAD_V2 : SP_HEAD_BAD;
        form->told = good ? client : form->told;
        return SP_FORM_TAG;
    }
    return SP_FORM_TAG;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(const uint8_t *text, size_t len, uint8_t out[static SP_TAG_BYTES])
{
    if (len < 2UL * SP_TAG_BYTES) {
        return false;
    }
    for (size_t i = 0; i < SP_TAG_BYTES; i++) {
        int hi = hex_digit(text[2 * i]);
        int lo = hex_digit(text[2 * i + 1]);
        if (hi < 0 || lo < 0) {
            return false;
        }
        out[i] = (uint8_t)(hi << 4 | lo);
    }
    return true;
}

/* One header line: a valid tag of ours? */
static bool read_line(const struct sp_tag_keys *keys, const uint8_t *line, size_t len,
                      struct sp_form *form)
{
    size_t name = sizeof(header_name) - 1;
    uint8_t tag[SP_TAG_BYTES];
    if (len < name || strncasecmp((const char *)line, header_name, name) != 0) {
        return false;
    }
    while (name < len && (line[name] == ' ' || line[name] == '\t')) {
        name++;
    }
    return read_hex(line + name, len - name, tag) &&
           sp_tag_read(keys, tag, sizeof(tag), &form->kind, &form->block, &form->port);
}

static enum sp_form_state read_http(const struct sp_tag_keys *keys, const uint8_t *bytes,
                                    size_t len, struct sp_form *form)
{
    bool found = false;
    bool is_first = true;
    size_t pos = 0;
    while (pos < len) {
        const uint8_t *end = memchr(bytes + pos, '\n', len - pos);
        size_t stop = end ? (size_t)(end - bytes) : len;
        size_t n = stop > pos && bytes[stop - 1] == '\r' ? stop - pos - 1 : stop - pos;
        if (end && n == 0) {
            form->is_whole = true;
            return found ? SP_FORM_TAG : SP_FORM_NONE;
        }
        found = found || (!is_first && read_line(keys, bytes + pos, n, form));
        is_first = false;
        pos = stop + 1;
    }
    return found ? SP_FORM_TAG : SP_FORM_PART;
}

/* The tag stands in the random; what else of the hello came must be what was sent. */
static enum sp_form_state read_hello(const struct sp_tag_keys *keys, const uint8_t *bytes,
                                     size_t len, struct sp_form *form)
{
    size_t tag = sizeof(hello_head);
    size_t rest = tag + SP_TAG_BYTES;
    if (len < rest) {
        return SP_FORM_PART;
    }
    if (!sp_tag_read(keys, bytes + tag, SP_TAG_BYTES, &form->kind, &form->block, &form->port)) {
        return SP_FORM_NONE;
    }
    form->is_hello = true;
    form->is_whole = len >= HELLO_BYTES;
    size_t have = len - rest < sizeof(hello_tail) ? len - rest : sizeof(hello_tail);
    form->is_changed = len > HELLO_BYTES || memcmp(bytes + rest, hello_tail, have) != 0;
    return SP_FORM_TAG;
}

enum sp_form_state sp_form_read(const struct sp_tag_keys *keys, const uint8_t *bytes, size_t len,
                                struct sp_form *ret_form)
{
    struct sp_form form = {.kind = SP_TAG_PROBE};
    const uint8_t magic[] = {SP_TAG_MAGIC >> 24, SP_TAG_MAGIC >> 16 & 0xff,
                             SP_TAG_MAGIC >> 8 & 0xff, SP_TAG_MAGIC & 0xff};
    if (len == 0) {
        return SP_FORM_PART;
    }
    bool is_cut = len >= SP_FORM_HEAD;
    len = is_cut ? SP_FORM_HEAD : len;
    size_t skip;
    enum sp_form_state state = skip_proxy(bytes, len, &skip, &form);
    if (state == SP_FORM_TAG && skip > 0) {
        bytes += skip;
        len -= skip;
        state = len == 0 ? SP_FORM_PART : SP_FORM_TAG;
    }
    if (state != SP_FORM_TAG) {
        return is_cut ? SP_FORM_NONE : state;
    }
    enum sp_form_state raw = begins(bytes, len, magic, sizeof(magic));
    enum sp_form_state get = begins(bytes, len, "GET ", 4);
    enum sp_form_state response = begins(bytes, len, "HTTP/1.", 7);
    enum sp_form_state hello = begins(bytes, len, hello_head, sizeof(hello_head));
    if (raw == SP_FORM_TAG) {
        form.is_whole = true;
        state = len < SP_TAG_BYTES                                                   ? SP_FORM_PART
                : sp_tag_read(keys, bytes, len, &form.kind, &form.block, &form.port) ? SP_FORM_TAG
                                                                                     : SP_FORM_NONE;
    } else if (get == SP_FORM_TAG || response == SP_FORM_TAG) {
        form.is_http = true;
        state = read_http(keys, bytes, len, &form);
    } else if (hello == SP_FORM_TAG) {
        state = read_hello(keys, bytes, len, &form);
    } else {
        bool may = raw == SP_FORM_PART || get == SP_FORM_PART || response == SP_FORM_PART ||
                   hello == SP_FORM_PART;
        state = may ? SP_FORM_PART : SP_FORM_NONE;
    }
    if (state == SP_FORM_TAG) {
        *ret_form = form;
    }
    return state == SP_FORM_PART && is_cut ? SP_FORM_NONE : state;
}

static void tag_hex(const struct sp_tag_keys *keys, uint16_t block, uint16_t port,
                    enum sp_tag_kind kind, uint64_t sent_us, char out[static 2 * SP_TAG_BYTES + 1])
{
    uint8_t tag[SP_TAG_BYTES];
    sp_tag_write(keys, block, port, kind, sent_us, tag);
    sp_hex(tag, sizeof(tag), out);
}

static size_t put(uint8_t out[static SP_FORM_MAX], const char *text, int len)
{
    size_t n = len < 0 ? 0 : (size_t)len >= SP_FORM_MAX ? SP_FORM_MAX - 1 : (size_t)len;
    memcpy(out, text, n);
    return n;
}

bool sp_form_is_server_error(const uint8_t *bytes, size_t len)
{
    static const char head[] = "HTTP/1.";
    size_t n = sizeof(head) - 1;
    return len > n + 2 && memcmp(bytes, head, n) == 0 && bytes[n + 1] == ' ' && bytes[n + 2] == '5';
}

unsigned sp_form_status(const uint8_t *bytes, size_t len)
{
    unsigned status = 0;
    if (len < 12 || memcmp(bytes, "HTTP/1.", 7) != 0 || bytes[8] != ' ') {
        return 0;
    }
    for (size_t i = 9; i < 12; i++) {
        if (bytes[i] < '0' || bytes[i] > '9') {
            return 0;
        }
        status = status * 10 + (bytes[i] - '0');
    }
    return status;
}

size_t sp_form_hello(const struct sp_tag_keys *keys, uint16_t block, uint16_t port,
                     uint64_t sent_us, uint8_t out[static SP_FORM_MAX])
{
    _Static_assert(HELLO_BYTES <= SP_FORM_MAX, "a hello is one message");
    memcpy(out, hello_head, sizeof(hello_head));
    sp_tag_write(keys, block, port, SP_TAG_PROBE, sent_us, out + sizeof(hello_head));
    memcpy(out + sizeof(hello_head) + SP_TAG_BYTES, hello_tail, sizeof(hello_tail));
    return HELLO_BYTES;
}

bool sp_form_is_tls_answer(const uint8_t *bytes, size_t len)
{
    return len >= 6 && (bytes[0] == 0x15 || bytes[0] == 0x16) && bytes[1] == 3 && bytes[2] <= 4;
}

size_t sp_form_request(const struct sp_tag_keys *keys, uint16_t block, uint16_t port,
                       uint64_t sent_us, const struct sp_addr *target, const char *path,
                       uint8_t out[static SP_FORM_MAX])
{
    char hex[2 * SP_TAG_BYTES + 1];
    char host[SP_ADDR_STRLEN];
    char text[SP_FORM_MAX];
    bool v6 = target->family == SP_FAMILY_IPV6;
    tag_hex(keys, block, port, SP_TAG_PROBE, sent_us, hex);
    /* The tag's header first: what a proxy puts in front of it must not push it out of sight. */
    int n = snprintf(text, sizeof(text),
                     "GET %s HTTP/1.1\r\nX-Segproof: %s\r\nHost: %s%s%s:%u\r\n"
                     "Connection: close\r\n\r\n",
                     path ? path : "/", hex, v6 ? "[" : "", sp_addr_str(target, host),
                     v6 ? "]" : "", port);
    if (n >= (int)sizeof(text)) {
        n = snprintf(text, sizeof(text),
                     "GET %s HTTP/1.1\r\nHost: %s%s%s\r\nConnection: close\r\n\r\n", path,
                     v6 ? "[" : "", host, v6 ? "]" : "");
    }
    return put(out, text, n);
}

size_t sp_form_reply(const struct sp_tag_keys *keys, const struct sp_form *form, uint64_t sent_us,
                     uint8_t out[static SP_FORM_MAX])
{
    char hex[2 * SP_TAG_BYTES + 1];
    char text[SP_FORM_MAX];
    if (!form->is_http) {
        sp_tag_write(keys, form->block, form->port, SP_TAG_REPLY, sent_us, out);
        return SP_TAG_BYTES;
    }
    tag_hex(keys, form->block, form->port, SP_TAG_REPLY, sent_us, hex);
    int n = snprintf(text, sizeof(text),
                     "HTTP/1.1 200 OK\r\nX-Segproof: %s\r\nContent-Length: 0\r\n"
                     "Connection: close\r\n\r\n",
                     hex);
    return put(out, text, n);
}
