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
    SP_ANSWER_DATA,    /* UDP data from the service */
    SP_ANSWER_ECHO,    /* echo reply */
    SP_ANSWER_CRAFTED, /* the receiving probe's own tagged reply: proves the return path only */
    SP_ANSWER_RST,
    SP_ANSWER_UNREACHABLE, /* ICMP destination unreachable; its code stands beside it */
    SP_ANSWER_END
};

const char *sp_answer_str(uint8_t answer); /* "syn_ack" */
/* How much an answer tells of who gave it; of several, the strongest is kept. */
unsigned sp_answer_strength(uint8_t answer);

#endif
