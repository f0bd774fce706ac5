/* SPDX-License-Identifier: Apache-2.0
 *
 * What a probe packet can be answered with; said by techniques, carried by the wire, judged by
 * reports. */
#ifndef SP_BASE_ANSWER_H
#define SP_BASE_ANSWER_H

#include <stdint.h>

enum sp_answer {
    SP_ANSWER_NONE,
    SP_ANSWER_SYN_ACK,
    SP_ANSWER_DATA,    /* data from the service: a datagram, or after our data in a conversation */
    SP_ANSWER_ECHO,    /* echo reply */
    SP_ANSWER_CRAFTED, /* the receiving probe's own tagged reply: proves the return path only */
    SP_ANSWER_RST,
    SP_ANSWER_UNREACHABLE, /* ICMP destination unreachable; its code stands beside it */
    SP_ANSWER_EXPIRED,     /* ICMP time exceeded: asked for by packets with a small TTL alone */
    SP_ANSWER_TOO_BIG,     /* ICMP packet too big: of padded packets alone */
    SP_ANSWER_END
};

/* What else was seen of a conversation that was answered with SYN_ACK or DATA (bit flags, carried
 * where UNREACHABLE has its ICMP code). */
#define SP_ANSWER_WINDOW_ZERO 1U /* the SYN/ACK offered no window: the mark of a SYN proxy */
#define SP_ANSWER_TTL_CHANGED                                                                      \
    2U                           /* a later packet of the peer's had another TTL than its SYN/ACK  \
                                  */
#define SP_ANSWER_DATA_ACKED 4U  /* the peer acknowledged our data */
#define SP_ANSWER_RESET      8U  /* the peer reset the conversation after its SYN/ACK */
#define SP_ANSWER_UNSERVED   16U /* what came was an HTTP error 5xx: nobody took the request */
#define SP_ANSWER_TLS                                                                              \
    32U /* what came was a TLS handshake or alert: its sender ends TLS himself                     \
         */
#define SP_ANSWER_LASTED 64U  /* after the pause that was asked for, the peer took more data */
#define SP_ANSWER_CLOSED 128U /* the peer ended the conversation during that pause */

/* What stood before the data of a conversation, as a stand-in read it. */
enum sp_head {
    SP_HEAD_NONE,
    SP_HEAD_V1,  /* a PROXY header, version 1 */
    SP_HEAD_V2,  /* version 2 */
    SP_HEAD_BAD, /* one that does not keep to its own rules */
    SP_HEAD_END
};

const char *sp_answer_str(uint8_t answer); /* "syn_ack" */
/* How much an answer tells of who gave it; of several, the strongest is kept. */
unsigned sp_answer_strength(uint8_t answer);

#endif
