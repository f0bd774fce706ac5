/* SPDX-License-Identifier: Apache-2.0
 *
 * What is known of a technique without running it: the data of registry.def, read by both programs,
 * so that a plan can price it and the command line can name it with no probe up. The code is in
 * technique.h. */
#ifndef SP_TECHNIQUES_REGISTRY_H
#define SP_TECHNIQUES_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SP_TECH_IPV4     1U
#define SP_TECH_IPV6     2U
#define SP_TECH_NAME_LEN 16 /* with the NUL; the width on the wire */

enum sp_tech_verdict {
    SP_TECH_VERDICT_FLOW,         /* judged by design table 7: does the flow's own packet cross? */
    SP_TECH_VERDICT_CONVERSATION, /* does a whole conversation reach who is declared? Never the
                                     default of a protocol: it sends data */
    SP_TECH_VERDICT_BYPASS,       /* judged like a flow, and asks denied ones only, in a way that a
                                     careless filter passes; never the default of a protocol */
};

struct sp_technique_info {
    const char *name;
    char hazard;      /* 'A' passive-safe, 'B' unusual, 'C' intrusive */
    uint8_t families; /* SP_TECH_IPV4 | SP_TECH_IPV6 */
    uint8_t
        proto; /* enum sp_proto of the flows it tests; SP_PROTO_ICMP stands for icmp and icmp6 */
    uint8_t verdict; /* enum sp_tech_verdict */
    uint8_t packets; /* packets the sender emits per test and attempt */
    const char *summary;
};

/* Sorted by name. */
size_t sp_technique_count(void);
const struct sp_technique_info *sp_technique_at(size_t index); /* NULL past the end */
const struct sp_technique_info *sp_technique_find(const char *name);
/* The default technique that tests flows of this protocol and family, or NULL when there is none
 * (yet). */
const struct sp_technique_info *sp_technique_for(uint8_t proto, uint8_t family);
/* The technique of one point on the protocol's axis: of ICMP the echo request has one of its own.
 */
const struct sp_technique_info *sp_technique_at_point(uint8_t proto, uint8_t family, uint16_t port);
/* Do its packets ask nothing, so that their arrival is all there is? */
bool sp_technique_is_one_way(size_t index);
/* Does it hold a whole conversation, whose data somebody has to take? */
bool sp_technique_talks(size_t index);
/* Does it ask a denied flow in another way than its protocol's default technique? */
bool sp_technique_is_bypass(size_t index);
/* The source ports that a technique sends from in the place of a run's own, each a test; *ret_n is
 * 0 and the answer NULL for all others. */
const uint16_t *sp_technique_sports(size_t index, size_t *ret_n);
/* Must it be injected at the link layer, because the sender's own kernel would undo what is special
 * about it? Does it write a source that is not the sender's own? By the first word of the name. */
bool sp_technique_needs_link(size_t index);
bool sp_technique_forges(size_t index);
/* The IP protocol of the outer packets that carry its own: 4, 41, 47 or 17; 0 = it sends none. */
uint8_t sp_technique_outer(size_t index);
size_t sp_technique_index(const struct sp_technique_info *info);

#endif
