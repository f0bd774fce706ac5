/* SPDX-License-Identifier: Apache-2.0
 *
 * The forms in which a payload tag travels through a TCP conversation: raw, at its very start; as
 * 56 hexadecimal digits in the X-Segproof header of an HTTP/1 message (RFC 9112), which a proxy
 * takes along; or as the first 28 bytes of the random of a TLS ClientHello (RFC 5246 7.4.1.2),
 * which whoever ends TLS answers himself and whoever does not passes on. In front of any a balancer
 * may have put a PROXY protocol header (version 1 or 2 of haproxy's proxy-protocol.txt). Everything
 * read here is hostile: nothing is trusted but the tag's MAC, at most SP_FORM_HEAD bytes are looked
 * at, and what is cut short is never a tag. */
#ifndef SP_PACKET_TAGFORM_H
#define SP_PACKET_TAGFORM_H

#include "probe/base/addr.h"
#include "probe/base/answer.h"
#include "probe/packet/tag.h"

#define SP_FORM_HEAD 2048U /* bytes looked at */
#define SP_FORM_MAX  192U  /* the longest message that is written */

enum sp_form_state {
    SP_FORM_NONE, /* no tag, whatever follows */
    SP_FORM_PART, /* more bytes could make it one */
    SP_FORM_TAG,
};

struct sp_form {
    enum sp_tag_kind kind;
    uint16_t block, port;
    bool is_http;
    bool is_hello;       /* a TLS ClientHello */
    bool is_changed;     /* of a hello: other bytes than were sent stand around the tag */
    uint8_t head;        /* enum sp_head */
    struct sp_addr told; /* the client that the PROXY header names; family NONE: none */
    bool is_whole;       /* the message is here to its end: the empty line, or all of a raw tag */
};

enum sp_form_state sp_form_read(const struct sp_tag_keys *keys, const uint8_t *bytes, size_t len,
                                struct sp_form *ret_form);

/* Is this an HTTP/1 answer of the server errors (5xx, RFC 9110 15.6)? A proxy gives one when it has
 * nobody to pass a request on to. */
bool sp_form_is_server_error(const uint8_t *bytes, size_t len);
/* The status of an HTTP/1 answer; 0 = it is none. */
unsigned sp_form_status(const uint8_t *bytes, size_t len);
/* A request for a path (NULL: "/") of the flow's target that carries the tag, if there is room
 * beside a long path; returns its length. */
size_t sp_form_request(const struct sp_tag_keys *keys, uint16_t block, uint16_t port,
                       uint64_t sent_us, const struct sp_addr *target, const char *path,
                       uint8_t out[static SP_FORM_MAX]);
/* A ClientHello that carries the tag; returns its length. */
size_t sp_form_hello(const struct sp_tag_keys *keys, uint16_t block, uint16_t port,
                     uint64_t sent_us, uint8_t out[static SP_FORM_MAX]);
/* Is this how somebody who speaks TLS answers: a handshake or an alert record? */
bool sp_form_is_tls_answer(const uint8_t *bytes, size_t len);
/* What a stand-in answers to a form: HTTP to HTTP, raw to the others. */
size_t sp_form_reply(const struct sp_tag_keys *keys, const struct sp_form *form, uint64_t sent_us,
                     uint8_t out[static SP_FORM_MAX]);

#endif
