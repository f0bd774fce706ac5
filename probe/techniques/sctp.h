/* SPDX-License-Identifier: Apache-2.0
 *
 * What the SCTP techniques share: the tag's sealed half is the Initiate or Verification Tag, which
 * every answer carries; whoever is not there answers with an ABORT. */
#ifndef SP_TECHNIQUES_SCTP_H
#define SP_TECHNIQUES_SCTP_H

#include "probe/techniques/technique.h"

int sp_sctp_start(const struct sp_flow *flow, struct sp_tech_io *io, uint8_t chunk);
int sp_sctp_reply(const struct sp_flow *arrival, struct sp_tech_io *io);
uint16_t sp_sctp_dport(const struct sp_flow *flow);
bool sp_sctp_match(const struct sp_tag_keys *keys, const struct sp_pkt *pkt, uint8_t chunk,
                   uint16_t *ret_block, uint16_t *ret_port);
enum sp_answer sp_sctp_answer(const struct sp_tag_keys *keys, const struct sp_flow *flow,
                              const struct sp_pkt *pkt);
bool sp_sctp_quoted(const struct sp_tag_keys *keys, const struct sp_flow *flow,
                    const struct sp_pkt *pkt);

#endif
