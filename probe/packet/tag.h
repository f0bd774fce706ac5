/* SPDX-License-Identifier: Apache-2.0
 *
 * The authenticated tag: proves that a packet is ours, of this batch, and which one, whatever
 * translated it on the way.
 *
 * x = block << 16 | port names one packet of a batch (block: sender, receiver, family, protocol,
 * technique, attempt). c = Speck32/64(K1, x) (Beaulieu et al. 2013) is x encrypted: it looks
 * random, so it is a valid TCP ISN, and it decrypts without any state. m = SipHash-2-4(K2, x ||
 * kind) authenticates it. Keys are drawn anew for every batch, so a packet of an earlier batch is
 * not ours. header tag (a SYN has no payload): seq = c, TSval = m[31..0], IPv4 ID = m[47..32]
 * (never 0) payload tag, 28 bytes: magic 4 | c 4 | m 8 | kind 1 | zero 3 | send time us 8 A packet
 * counts as ours with at least 32 matching MAC bits: TSval, or the payload's 64. */
#ifndef SP_PACKET_TAG_H
#define SP_PACKET_TAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/base/attr.h"
#include "probe/base/hash.h"

#define SP_TAG_MAGIC 0x53477066U /* "SGpf": lets a kernel filter and a person see what it is */
#define SP_TAG_BYTES 28U

enum sp_tag_kind { SP_TAG_PROBE = 1, SP_TAG_REPLY = 2 };

struct sp_tag_keys {
    uint16_t round_keys[22];
    struct sp_hash_key mac;
};

struct sp_tag {
    uint32_t seq;   /* c */
    uint32_t tsval; /* low half of m */
    uint16_t ip_id; /* from m, never 0 (the kernel would fill in its own) */
    uint64_t mac;   /* m of a probe's packet, as the payload tag carries it */
};

void sp_tag_keys_init(struct sp_tag_keys *keys, const uint8_t key[static 32]);

uint32_t sp_tag_seal(const struct sp_tag_keys *keys, uint16_t block, uint16_t port);
void sp_tag_unseal(const struct sp_tag_keys *keys, uint32_t c, uint16_t *ret_block,
                   uint16_t *ret_port);

struct sp_tag sp_tag_make(const struct sp_tag_keys *keys, uint16_t block, uint16_t port);
/* Header tag: true when TSval carries the MAC of what seq names. */
bool sp_tag_check(const struct sp_tag_keys *keys, uint32_t seq, uint32_t tsval, uint16_t *ret_block,
                  uint16_t *ret_port);

void sp_tag_write(const struct sp_tag_keys *keys, uint16_t block, uint16_t port,
                  enum sp_tag_kind kind, uint64_t sent_us, uint8_t out[static SP_TAG_BYTES]);
/* Payload tag: true when magic and all 64 MAC bits are right. Payload after the tag is not looked
 * at. */
bool sp_tag_read(const struct sp_tag_keys *keys, const uint8_t *payload, size_t len,
                 enum sp_tag_kind *ret_kind, uint16_t *ret_block, uint16_t *ret_port);

#endif
