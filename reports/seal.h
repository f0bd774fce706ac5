/* SPDX-License-Identifier: Apache-2.0
 *
 * What makes evidence hard to change: SHA-256, and Ed25519 signatures (RFC 8032) by OpenSSL.
 *
 * The signature of a manifest is a small text whose every byte counts:
 *
 *     segproof-signature/1
 *     run 5f2c9a01d7e3b846
 *     key SHA256:<64 hex digits>
 *     lines 1204
 *     header <SHA-256 of the first line>
 *     chain <SHA-256 of the last line>
 *     signature <128 hex digits>
 *
 * Signed are the bytes before "signature". A key's fingerprint is the SHA-256 of its public half in
 * DER (SubjectPublicKeyInfo, RFC 8410). */
#ifndef SP_REPORTS_SEAL_H
#define SP_REPORTS_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/base/buf.h"

#define SP_SHA256_STRLEN      65U
#define SP_FINGERPRINT_PREFIX "SHA256:"
#define SP_FINGERPRINT_STRLEN (7U + SP_SHA256_STRLEN)
#define SP_SEAL_MAX_BYTES     1024U /* a signature's text */
#define SP_KEY_MAX_BYTES      16384U

/* Lower-case hexadecimal. */
enum sp_rc sp_sha256(const void *bytes, size_t len,
                     char out[static SP_SHA256_STRLEN]) SP_MUST_CHECK;

struct sp_key; /* Ed25519; the private half may be missing */

enum sp_rc sp_key_new(struct sp_key **ret_key) SP_MUST_CHECK;
void sp_key_free(struct sp_key *key);
/* Reads PEM: SP_E_INVALID when it is none, encrypted, or a key of another kind; diag says which.
 * where names the file. */
enum sp_rc sp_key_read(const char *pem, size_t len, bool is_private, const char *where,
                       struct sp_key **ret_key, struct sp_diag *diag) SP_MUST_CHECK;
/* Adds the key as PEM (PKCS #8, or SubjectPublicKeyInfo). The caller cleanses a private one. */
enum sp_rc sp_key_write(const struct sp_key *key, bool is_private,
                        struct sp_buf *out) SP_MUST_CHECK;
enum sp_rc sp_key_fingerprint(const struct sp_key *key,
                              char out[static SP_FINGERPRINT_STRLEN]) SP_MUST_CHECK;
/* "SHA256:" and 64 hexadecimal digits in lower case? */
bool sp_is_fingerprint(const char *text);

/* What a signature speaks of. */
struct sp_seal {
    char run_id[17];
    char fingerprint[SP_FINGERPRINT_STRLEN];
    uint64_t lines;
    char header[SP_SHA256_STRLEN], chain[SP_SHA256_STRLEN];
    uint8_t signature[64];
};

/* Signs (fingerprint and signature are filled in) and adds the text. */
enum sp_rc sp_seal_sign(struct sp_seal *seal, const struct sp_key *key,
                        struct sp_buf *out) SP_MUST_CHECK;
/* Reads a text exactly: SP_E_INVALID says in diag which line is wrong. Nothing is verified. */
enum sp_rc sp_seal_parse(const char *text, size_t len, struct sp_seal *ret_seal,
                         struct sp_diag *diag) SP_MUST_CHECK;
/* Is it the signature of this key? SP_E_DENIED: no. */
enum sp_rc sp_seal_verify(const struct sp_seal *seal, const struct sp_key *key) SP_MUST_CHECK;

#endif
