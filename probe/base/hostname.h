/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of hosts as DNS knows them (RFC 1035 2.3.1, with digits first by RFC 1123 2.1, and the
 * underscore that is in use): ASCII only. */
#ifndef SP_BASE_HOSTNAME_H
#define SP_BASE_HOSTNAME_H

#include <stdbool.h>

#define SP_HOSTNAME_STRLEN 254 /* with its NUL */

/* In lower case, without a dot at its end. False when it is no name: empty labels, labels of more
 * than 63 bytes, other characters, a last label of digits only (an address, or half of one). */
bool sp_hostname_normal(const char *text, char out[static SP_HOSTNAME_STRLEN]);

#endif
