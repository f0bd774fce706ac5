/* SPDX-License-Identifier: Apache-2.0
 *
 * One ordinary conversation with one address: connect, TLS, a request, what comes back. Each step
 * has a time limit that no slow peer can stretch; what a peer sends is bounded. The end is always
 * told: how far it got, and what stopped it. */
#ifndef SP_PROBE_CALLER_TALK_H
#define SP_PROBE_CALLER_TALK_H

#include "probe/caller/sock.h"
#include "probe/caller/tls.h"

struct event_base;
struct event;

enum sp_talk_mode {
    SP_TALK_TCP,   /* connect */
    SP_TALK_TLS,   /* and shake hands */
    SP_TALK_HTTP,  /* a request in clear, where that is the protocol */
    SP_TALK_HTTPS, /* a request through TLS */
    SP_TALK_CLEAR, /* a request in clear, where TLS is required */
    SP_TALK_H2,    /* the preface of HTTP/2 in clear, where TLS is required (RFC 9113 3.4) */
    SP_TALK_MODE_COUNT
};

enum sp_talk_reached {
    SP_TALK_NOTHING,   /* no answer to the connection */
    SP_TALK_CONNECTED, /* SYN/ACK */
    SP_TALK_SECURED,   /* TLS */
    SP_TALK_ANSWERED,  /* the application */
    SP_TALK_REACHED_COUNT
};

enum sp_talk_stop {
    SP_TALK_DONE,     /* it got where it was to get */
    SP_TALK_RST,      /* reset; before the connection stood: refused */
    SP_TALK_ICMP,     /* an ICMP error */
    SP_TALK_SILENT,   /* nothing came in time */
    SP_TALK_SLOW,     /* something came, but not the whole in time */
    SP_TALK_NO_ROUTE, /* this host knows no way there */
    SP_TALK_LOCAL,    /* this host could not send for another reason */
    SP_TALK_CLOSED,   /* the peer closed */
    SP_TALK_ALERT,    /* the peer ended TLS with an alert */
    SP_TALK_BROKEN,   /* what came made no sense */
    SP_TALK_SPECIAL,  /* a loopback or other address that is not talked to */
    SP_TALK_STOP_COUNT
};

/* What came back to a request. */
enum sp_talk_kind {
    SP_TALK_NO_BYTES,
    SP_TALK_HTTP_HEAD, /* an HTTP/1 response */
    SP_TALK_H2_FRAMES, /* the other side speaks HTTP/2 */
    SP_TALK_H2_AWAY,   /* it does, to say goodbye */
    SP_TALK_TLS_BYTES, /* a TLS record */
    SP_TALK_OTHER_BYTES,
    SP_TALK_KIND_COUNT
};

#define SP_TALK_HEAD_MAX 16384U

/* Common to the conversations of a question; borrowed. */
struct sp_talk_how {
    struct event_base *base;
    struct sp_tls *tls; /* NULL: none of them needs it */
    const char *sni;    /* "" = none */
    const char *name;   /* that certificates must be made out to */
    const char *host;   /* for the request */
    const char *path;
    const unsigned char *alpn; /* for SP_TALK_TLS, in wire format */
    size_t alpn_len;
    uint32_t step_ms;
    uint16_t port;
};

struct sp_talk {
    const struct sp_talk_how *how;
    uint8_t mode; /* enum sp_talk_mode */
    struct sp_addr addr;
    void (*done)(struct sp_talk *talk, void *arg);
    void *arg;
    /* the result */
    uint8_t reached, stop, kind;
    int error; /* errno, 0 = none */
    struct sp_sock_icmp icmp;
    uint32_t connect_ms;
    bool is_own;     /* the address is this host's: reaching it proves nothing about the network */
    unsigned status; /* of HTTP, 0 = none */
    char location[600]; /* of HTTP, printable; "" = none */
    char reason[120];   /* of TLS, "" = none */
    struct sp_buf told; /* fields of TLS */
    /* private */
    int fd;
    SSL *ssl;
    struct event *event;
    uint64_t until_us, since_us;
    char out[1200];
    size_t out_len, out_at;
    struct sp_buf in;
};

/* done is called once, later or within this call. */
void sp_talk_start(struct sp_talk *talk);
void sp_talk_release(struct sp_talk *talk); /* ends it without a word, too */

const char *sp_talk_mode_str(unsigned mode);
const char *sp_talk_reached_str(unsigned reached);
const char *sp_talk_stop_str(unsigned stop);
const char *sp_talk_kind_str(unsigned kind);

/* ---- head.c: what a peer says first ---- */

/* Reads an answer as far as it is there. True: that is all that is wanted of it. */
bool sp_talk_read_head(const char *bytes, size_t len, uint8_t *ret_kind, unsigned *ret_status,
                       char *location, size_t location_size);

#endif
