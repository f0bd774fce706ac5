/* SPDX-License-Identifier: Apache-2.0
 *
 * Questions to name servers and their answers (RFC 1035 4, RFC 3596): a pure codec. An answer is
 * anything at all: every length is checked, compression may only lead backwards, and of many
 * addresses the first SP_DNS_ADDRS are kept and all are counted. */
#ifndef SP_PROBE_CALLER_DNS_H
#define SP_PROBE_CALLER_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/base/addr.h"
#include "probe/base/hostname.h"

#define SP_DNS_A    1U
#define SP_DNS_AAAA 28U

#define SP_DNS_PORT         53U
#define SP_DNS_QUESTION_MAX 280U
#define SP_DNS_ADDRS        32U
#define SP_DNS_ALIASES      16U /* that are followed */

#define SP_DNS_NXDOMAIN 3U

struct sp_dns_answer {
    uint8_t rcode;
    bool is_truncated;
    uint32_t total; /* addresses there were */
    size_t n;       /* that are kept */
    struct sp_addr addrs[SP_DNS_ADDRS];
};

/* name is normal. Returns how many bytes, never more than SP_DNS_QUESTION_MAX. */
size_t sp_dns_question(const char *name, uint16_t type, uint16_t id,
                       uint8_t out[static SP_DNS_QUESTION_MAX]);
/* False: not the answer to that question, or broken. */
bool sp_dns_parse(const uint8_t *bytes, size_t len, const char *name, uint16_t type, uint16_t id,
                  struct sp_dns_answer *ret_answer);

#endif
