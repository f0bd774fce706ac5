/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests that need packets: built with libnet without privilege, checked and changed by code
 * that shares nothing with the product's. */
#ifndef SP_TESTS_PACKET_KIT_H
#define SP_TESTS_PACKET_KIT_H

#include "probe/packet/packet.h"

#define KIT_MAX 2048

struct kit_bytes {
    uint8_t at[KIT_MAX];
    size_t len;
};

/* Builds; fails the test when that is not possible. */
void kit_build(const struct sp_spec *spec, struct kit_bytes *out);
/* The Internet checksum of an IP packet's headers and transport, computed from RFC 1071 alone. */
bool kit_checksums_ok(const uint8_t *ip, size_t len);
struct sp_addr kit_addr(const char *text);
/* A raw IPv4 or IPv6 header in front of a transport; returns the length. */
size_t kit_ip4(uint8_t *out, uint8_t proto, const char *src, const char *dst, const void *body,
               size_t len);
size_t kit_ip6(uint8_t *out, uint8_t next, const char *src, const char *dst, const void *body,
               size_t len);

#endif
