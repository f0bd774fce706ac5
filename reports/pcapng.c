/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers in comments are of draft-ietf-opsawg-pcapng: 3.1 (blocks), 3.5 (options), 4.1 (Section
 * Header Block), 4.2 (Interface Description Block), 4.3 (Enhanced Packet Block). No Custom Blocks:
 * some readers count them as packets. */
#include "reports/pcapng.h"

#include <string.h>

#define SP_BLOCK_SECTION   0x0a0d0d0aU
#define SP_BLOCK_INTERFACE 1U
#define SP_BLOCK_PACKET    6U
#define SP_BYTE_ORDER      0x1a2b3c4dU

#define SP_OPT_END        0U
#define SP_OPT_COMMENT    1U
#define SP_SHB_USERAPPL   4U
#define SP_IF_NAME        2U
#define SP_IF_DESCRIPTION 3U
#define SP_IF_TSRESOL     9U
#define SP_EPB_FLAGS      2U
#define SP_EPB_INBOUND    1U
#define SP_EPB_OUTBOUND   2U
#define SP_OPTION_MAX     65535U
#define SP_TSRESOL_NANO   9U

static void add16(struct sp_buf *out, uint16_t v)
{
    const uint8_t bytes[2] = {(uint8_t)v, (uint8_t)(v >> 8)};
    sp_buf_add(out, bytes, sizeof(bytes));
}

static void add32(struct sp_buf *out, uint32_t v)
{
    add16(out, (uint16_t)v);
    add16(out, (uint16_t)(v >> 16));
}

/* What is not a multiple of four bytes is filled up with zeros, which no length counts. */
static void add_padded(struct sp_buf *out, const void *bytes, size_t len)
{
    sp_buf_add(out, bytes, len);
    sp_buf_add(out, "\0\0\0", (4 - len % 4) % 4);
}

static void add_option(struct sp_buf *out, uint16_t code, const void *value, size_t len)
{
    len = len < SP_OPTION_MAX ? len : SP_OPTION_MAX;
    add16(out, code);
    add16(out, (uint16_t)len);
    add_padded(out, value, len);
}

static void add_text(struct sp_buf *out, uint16_t code, const char *text)
{
    if (text && text[0]) {
        size_t len = strlen(text);
        if (len > SP_OPTION_MAX) { /* not within a character of UTF-8 */
            for (len = SP_OPTION_MAX; len > 0 && ((uint8_t)text[len] & 0xc0) == 0x80;) {
                len--;
            }
        }
        add_option(out, code, text, len);
    }
}

/* A block begins with its type and its length, which is known at its end only. */
static size_t open_block(struct sp_buf *out, uint32_t type)
{
    size_t at = out->len;
    add32(out, type);
    add32(out, 0);
    return at;
}

static void close_block(struct sp_buf *out, size_t at)
{
    add16(out, SP_OPT_END);
    add16(out, 0);
    uint32_t len = (uint32_t)(out->len - at) + 4;
    add32(out, len);
    if (out->rc == SP_OK) {
        for (int i = 0; i < 4; i++) {
            out->data[at + 4 + (size_t)i] = (char)(uint8_t)(len >> 8 * i);
        }
    }
}

void sp_pcapng_section(struct sp_buf *out, const char *application, const char *comment)
{
    size_t at = open_block(out, SP_BLOCK_SECTION);
    add32(out, SP_BYTE_ORDER);
    add16(out, 1); /* version 1.0 */
    add16(out, 0);
    add32(out, UINT32_MAX); /* the section's length is not told: it ends with the file */
    add32(out, UINT32_MAX);
    add_text(out, SP_OPT_COMMENT, comment);
    add_text(out, SP_SHB_USERAPPL, application);
    close_block(out, at);
}

void sp_pcapng_interface(struct sp_buf *out, const char *name, const char *description,
                         uint16_t linktype, uint32_t snaplen)
{
    const uint8_t resolution = SP_TSRESOL_NANO;
    size_t at = open_block(out, SP_BLOCK_INTERFACE);
    add16(out, linktype);
    add16(out, 0);
    add32(out, snaplen);
    add_text(out, SP_IF_NAME, name);
    add_text(out, SP_IF_DESCRIPTION, description);
    add_option(out, SP_IF_TSRESOL, &resolution, 1);
    close_block(out, at);
}

void sp_pcapng_packet(struct sp_buf *out, const struct sp_pcapng_packet *packet)
{
    const uint8_t flags[4] = {packet->is_outbound ? SP_EPB_OUTBOUND : SP_EPB_INBOUND};
    size_t at = open_block(out, SP_BLOCK_PACKET);
    add32(out, packet->interface);
    add32(out, (uint32_t)(packet->at_ns >> 32));
    add32(out, (uint32_t)packet->at_ns);
    add32(out, packet->len);
    add32(out, packet->wire_len);
    add_padded(out, packet->bytes, packet->len);
    add_text(out, SP_OPT_COMMENT, packet->comment);
    add_option(out, SP_EPB_FLAGS, flags, sizeof(flags));
    close_block(out, at);
}
