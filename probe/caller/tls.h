/* SPDX-License-Identifier: Apache-2.0
 *
 * The client's side of TLS, and what a server's certificates say of it. A handshake goes through
 * whatever the certificates are; they are judged afterwards, one question at a time: does the chain
 * end at a trusted CA (its dates apart), is the name in it, until when is it valid, who issued it.
 *
 * Revocation is not looked at. */
#ifndef SP_PROBE_CALLER_TLS_H
#define SP_PROBE_CALLER_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

#include "probe/base/buf.h"

struct sp_tls;

/* ca: certificates in PEM that are trusted, and nothing else; NULL: the trust store of this host.
 */
enum sp_rc sp_tls_new(const char *ca, size_t ca_len, struct sp_tls **ret_tls) SP_MUST_CHECK;
void sp_tls_free(struct sp_tls *tls);
/* A session on a connected socket; sni may be "" (none), alpn in wire format, may be empty. NULL:
 * out of memory. */
SSL *sp_tls_session(struct sp_tls *tls, int fd, const char *sni, const unsigned char *alpn,
                    size_t alpn_len);
/* Fields of what was agreed, and of the certificates; name is what they must be made out to. */
void sp_tls_tell(struct sp_tls *tls, SSL *ssl, const char *name, struct sp_buf *out);
/* Why OpenSSL gave up, in its words; empties its queue of errors. */
void sp_tls_reason(char *out, size_t size);

#endif
