/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/base/answer.h"

static const struct {
    const char *name;
    unsigned strength;
} answers[SP_ANSWER_END] = {
    [SP_ANSWER_NONE] = {"none", 0},       [SP_ANSWER_UNREACHABLE] = {"unreachable", 1},
    [SP_ANSWER_CRAFTED] = {"crafted", 2}, [SP_ANSWER_RST] = {"rst", 3},
    [SP_ANSWER_SYN_ACK] = {"syn_ack", 4}, [SP_ANSWER_DATA] = {"data", 5},
    [SP_ANSWER_ECHO] = {"echo", 4},
};

const char *sp_answer_str(uint8_t answer)
{
    return answer < SP_ANSWER_END ? answers[answer].name : "unknown";
}

unsigned sp_answer_strength(uint8_t answer)
{
    return answer < SP_ANSWER_END ? answers[answer].strength : 0;
}
