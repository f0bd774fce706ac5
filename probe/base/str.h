/* SPDX-License-Identifier: Apache-2.0
 *
 * Strict, locale-free text helpers. */
#ifndef SP_BASE_STR_H
#define SP_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/base/rc.h"

/* A decimal number without sign, space or leading zeros (except "0") and at most max. */
enum sp_rc sp_parse_uint(const char *text, uint64_t max, uint64_t *ret_value) SP_MUST_CHECK;
/* "250ms", "5s", "10m", "1h", or a bare number of seconds; at most 365 days. */
enum sp_rc sp_parse_duration_ms(const char *text, uint64_t *ret_ms) SP_MUST_CHECK;
/* Well-formed UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. */
bool sp_utf8_valid(const char *bytes, size_t len);
/* Length of the well-formed UTF-8 sequence at bytes, 0 if there is none. */
size_t sp_utf8_len(const char *bytes, size_t len);
/* Levenshtein distance, for "did you mean"; gives up above 63 characters (returns SIZE_MAX). */
size_t sp_edit_distance(const char *a, const char *b);
/* Lower-case hexadecimal; out has 2 * len + 1 bytes. */
void sp_hex(const void *bytes, size_t len, char *out);

#endif
