/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/base/answer.h"

static const struct {
    const char *name;
    unsigned strength;
} answers[SP_ANSWER_END] = {
    [SP_ANSWER_NONE] = {"none", 0},       [SP_ANSWER_EXPIRED] = {"expired", 1},
    [SP_ANSWER_TOO_BIG] = {"too_big", 1}, [SP_ANSWER_UNREACHABLE] = {"unreachable", 2},
    [SP_ANSWER_CRAFTED] = {"crafted", 3}, [SP_ANSWER_RST] = {"rst", 4},
    [SP_ANSWER_SYN_ACK] = {"syn_ack", 5}, [SP_ANSWER_DATA] = {"data", 6},
    [SP_ANSWER_ECHO] = {"echo", 5},
};

const char *sp_answer_str(uint8_t answer)
{
    return answer < SP_ANSWER_END ? answers[answer].name : "unknown";
}

unsigned sp_answer_strength(uint8_t answer)
{
    return answer < SP_ANSWER_END ? answers[answer].strength : 0;
}
