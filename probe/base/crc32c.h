/* SPDX-License-Identifier: Apache-2.0
 *
 * CRC32c (Castagnoli), the checksum of SCTP (RFC 9260 appendix A). */
#ifndef SP_BASE_CRC32C_H
#define SP_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* SCTP puts the least significant byte first. */
uint32_t sp_crc32c(const void *bytes, size_t len);

#endif
