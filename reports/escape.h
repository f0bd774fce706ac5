/* SPDX-License-Identifier: Apache-2.0
 *
 * Text from outside (names, host messages) made safe for what it is written into. Every function
 * appends to out and takes any bytes up to the NUL; what is not well-formed UTF-8 (RFC 3629)
 * becomes U+FFFD, and control characters never pass as they are. */
#ifndef SP_REPORTS_ESCAPE_H
#define SP_REPORTS_ESCAPE_H

#include "probe/base/buf.h"

/* Content and attribute values of XML 1.0 and HTML: the five special characters become references;
 * control characters are dropped, because XML 1.0 cannot hold them in any form; line ends become
 * spaces, so that attributes keep one line. */
void sp_escape_xml(struct sp_buf *out, const char *text);

/* A terminal: control characters (C0, DEL, C1) and the characters that turn the direction of text
 * become visible escapes (\x1b, \u{202e}). No line end passes. */
void sp_escape_terminal(struct sp_buf *out, const char *text);

/* Well-formed UTF-8 for a writer that does its own escaping (cJSON): C0 stays, DEL and C1 become
 * U+FFFD, because that writer would pass them. */
void sp_escape_utf8(struct sp_buf *out, const char *text);

/* Columns that well-formed UTF-8 takes on a terminal, counting each character as one. */
size_t sp_text_columns(const char *text);

#endif
