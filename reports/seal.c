/* SPDX-License-Identifier: Apache-2.0 */
#include "reports/seal.h"

#include <inttypes.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/base/str.h"

#define SP_SEAL_MAGIC "segproof-signature/1"

struct sp_key {
    EVP_PKEY *pkey;
};

enum sp_rc sp_sha256(const void *bytes, size_t len, char out[static SP_SHA256_STRLEN])
{
    unsigned char md[32];
    unsigned int n = 0;
    if (EVP_Digest(len > 0 ? bytes : "", len, md, &n, EVP_sha256(), NULL) != 1 || n != sizeof(md)) {
        return SP_E_NOMEM;
    }
    sp_hex(md, sizeof(md), out);
    return SP_OK;
}

/* ---- keys ---- */

static enum sp_rc wrap(EVP_PKEY *pkey, struct sp_key **ret_key)
{
    struct sp_key *key = pkey ? sp_calloc(1, sizeof(*key)) : NULL;
    if (!key) {
        EVP_PKEY_free(pkey);
        return SP_E_NOMEM;
    }
    key->pkey = pkey;
    *ret_key = key;
    return SP_OK;
}

enum sp_rc sp_key_new(struct sp_key **ret_key)
{
    return wrap(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), ret_key);
}

void sp_key_free(struct sp_key *key)
{
    if (key) {
        EVP_PKEY_free(key->pkey);
        sp_free(key);
    }
}

/* Nobody is asked for a passphrase. The type is OpenSSL's. */
/* NOLINTNEXTLINE(readability-non-const-parameter) */
static int no_passphrase(char *buf, int size, int is_writing, void *arg)
{
    (void)buf;
    (void)size;
    (void)is_writing;
    *(bool *)arg = true;
    return -1;
}

enum sp_rc sp_key_read(const char *pem, size_t len, bool is_private, const char *where,
                       struct sp_key **ret_key, struct sp_diag *diag)
{
    bool is_encrypted = false;
    const char *kind = is_private ? "private" : "public";
    if (len > SP_KEY_MAX_BYTES) {
        return sp_fail(diag, SP_E_INVALID, where, "is too large for a key in PEM");
    }
    BIO *bio = BIO_new_mem_buf(pem, (int)len);
    if (!bio) {
        return sp_fail(diag, SP_E_NOMEM, where, "out of memory");
    }
    EVP_PKEY *pkey = is_private ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &is_encrypted)
                                : PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, &is_encrypted);
    BIO_free(bio);
    if (!pkey) {
        return sp_fail(diag, SP_E_INVALID, where,
                       is_encrypted
                           ? "the key is encrypted, and nobody is here to type its passphrase: "
                             "give one without (openssl pkey -in OLD -out NEW)"
                           : "holds no %s key in PEM (openssl genpkey -algorithm ed25519)",
                       kind);
    }
    if (!EVP_PKEY_is_a(pkey, "ED25519")) {
        EVP_PKEY_free(pkey);
        return sp_fail(diag, SP_E_INVALID, where,
                       "is a key of another kind: Ed25519 is needed (openssl genpkey -algorithm "
                       "ed25519)");
    }
    enum sp_rc rc = wrap(pkey, ret_key);
    return rc == SP_OK ? SP_OK : sp_fail(diag, rc, where, "out of memory");
}

enum sp_rc sp_key_write(const struct sp_key *key, bool is_private, struct sp_buf *out)
{
    BIO *bio = BIO_new(is_private ? BIO_s_secmem() : BIO_s_mem());
    char *text = NULL;
    bool good = bio && (is_private ? PEM_write_bio_PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL,
                                                              NULL) == 1
                                   : PEM_write_bio_PUBKEY(bio, key->pkey) == 1);
    long len = good ? BIO_get_mem_data(bio, &text) : 0;
    if (len > 0) {
        sp_buf_add(out, text, (size_t)len);
    }
    BIO_free(bio);
    return len > 0 ? out->rc : SP_E_NOMEM;
}

enum sp_rc sp_key_fingerprint(const struct sp_key *key, char out[static SP_FINGERPRINT_STRLEN])
{
    unsigned char *der = NULL;
    char hex[SP_SHA256_STRLEN];
    int len = i2d_PUBKEY(key->pkey, &der);
    enum sp_rc rc = len > 0 ? sp_sha256(der, (size_t)len, hex) : SP_E_NOMEM;
    OPENSSL_free(der);
    if (rc == SP_OK) {
        (void)snprintf(out, SP_FINGERPRINT_STRLEN, SP_FINGERPRINT_PREFIX "%s", hex);
    }
    return rc;
}

static bool is_hex(const char *text, size_t len)
{
    return strlen(text) == len && strspn(text, "0123456789abcdef") == len;
}

bool sp_is_fingerprint(const char *text)
{
    size_t prefix = sizeof(SP_FINGERPRINT_PREFIX) - 1;
    return strncmp(text, SP_FINGERPRINT_PREFIX, prefix) == 0 && is_hex(text + prefix, 64);
}

/* ---- signatures ---- */

static void add_signed(const struct sp_seal *seal, struct sp_buf *out)
{
    sp_buf_fmt(out, SP_SEAL_MAGIC "\nrun %s\nkey %s\nlines %" PRIu64 "\nheader %s\nchain %s\n",
               seal->run_id, seal->fingerprint, seal->lines, seal->header, seal->chain);
}

static void add_text(const struct sp_seal *seal, struct sp_buf *out)
{
    char hex[2 * sizeof(seal->signature) + 1];
    sp_hex(seal->signature, sizeof(seal->signature), hex);
    add_signed(seal, out);
    sp_buf_fmt(out, "signature %s\n", hex);
}

enum sp_rc sp_seal_sign(struct sp_seal *seal, const struct sp_key *key, struct sp_buf *out)
{
    struct sp_buf text;
    size_t len = sizeof(seal->signature);
    sp_buf_init(&text, SP_SEAL_MAX_BYTES);
    enum sp_rc rc = sp_key_fingerprint(key, seal->fingerprint);
    add_signed(seal, &text);
    rc = rc == SP_OK ? text.rc : rc;
    EVP_MD_CTX *ctx = rc == SP_OK ? EVP_MD_CTX_new() : NULL;
    bool good = ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key->pkey) == 1 &&
                EVP_DigestSign(ctx, seal->signature, &len, (const unsigned char *)text.data,
                               text.len) == 1 &&
                len == sizeof(seal->signature);
    EVP_MD_CTX_free(ctx);
    sp_buf_release(&text);
    if (!good) {
        return rc == SP_OK ? SP_E_NOMEM : rc;
    }
    add_text(seal, out);
    return out->rc;
}

/* The words of one line behind its name, copied to out; false: it is another line. */
static bool take_line(const char **at, const char *end, const char *name, char *out, size_t size)
{
    const char *stop = memchr(*at, '\n', (size_t)(end - *at));
    size_t before = strlen(name);
    size_t len = stop ? (size_t)(stop - *at) : 0;
    if (!stop || len < before || memcmp(*at, name, before) != 0 || len - before >= size) {
        return false;
    }
    memcpy(out, *at + before, len - before);
    out[len - before] = '\0';
    *at = stop + 1;
    return strlen(out) == len - before;
}

static uint8_t nibble(char c)
{
    return (uint8_t)(c >= 'a' ? c - 'a' + 10 : c - '0');
}

enum sp_rc sp_seal_parse(const char *text, size_t len, struct sp_seal *ret_seal,
                         struct sp_diag *diag)
{
    struct sp_seal seal = {0};
    char magic[sizeof(SP_SEAL_MAGIC)];
    char lines[24];
    char hex[2 * sizeof(seal.signature) + 1];
    const char *at = text;
    const char *end = text + len;
    const char *wrong = NULL;
    if (!take_line(&at, end, "", magic, sizeof(magic)) || strcmp(magic, SP_SEAL_MAGIC) != 0) {
        wrong = "its first line is not '" SP_SEAL_MAGIC "'";
    } else if (!take_line(&at, end, "run ", seal.run_id, sizeof(seal.run_id)) ||
               !is_hex(seal.run_id, 16)) {
        wrong = "line 2 is not 'run' and the 16 digits of a run";
    } else if (!take_line(&at, end, "key ", seal.fingerprint, sizeof(seal.fingerprint)) ||
               !sp_is_fingerprint(seal.fingerprint)) {
        wrong = "line 3 is not 'key' and the fingerprint of one";
    } else if (!take_line(&at, end, "lines ", lines, sizeof(lines)) ||
               sp_parse_uint(lines, UINT32_MAX, &seal.lines) != SP_OK) {
        wrong = "line 4 is not 'lines' and a number";
    } else if (!take_line(&at, end, "header ", seal.header, sizeof(seal.header)) ||
               !is_hex(seal.header, 64)) {
        wrong = "line 5 is not 'header' and a SHA-256";
    } else if (!take_line(&at, end, "chain ", seal.chain, sizeof(seal.chain)) ||
               !is_hex(seal.chain, 64)) {
        wrong = "line 6 is not 'chain' and a SHA-256";
    } else if (!take_line(&at, end, "signature ", hex, sizeof(hex)) ||
               !is_hex(hex, 2 * sizeof(seal.signature))) {
        wrong = "line 7 is not 'signature' and 128 hexadecimal digits";
    } else if (at != end) {
        wrong = "something follows the signature";
    }
    if (wrong) {
        return sp_fail(diag, SP_E_INVALID, "", "%s", wrong);
    }
    for (size_t i = 0; i < sizeof(seal.signature); i++) {
        seal.signature[i] = (uint8_t)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
    }
    *ret_seal = seal;
    return SP_OK;
}

enum sp_rc sp_seal_verify(const struct sp_seal *seal, const struct sp_key *key)
{
    struct sp_buf text;
    char fingerprint[SP_FINGERPRINT_STRLEN];
    enum sp_rc rc = sp_key_fingerprint(key, fingerprint);
    if (rc == SP_OK && strcmp(fingerprint, seal->fingerprint) != 0) {
        return SP_E_DENIED;
    }
    sp_buf_init(&text, SP_SEAL_MAX_BYTES);
    add_signed(seal, &text);
    rc = rc == SP_OK ? text.rc : rc;
    EVP_MD_CTX *ctx = rc == SP_OK ? EVP_MD_CTX_new() : NULL;
    if (rc == SP_OK) {
        rc = !ctx ? SP_E_NOMEM
             : EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key->pkey) == 1 &&
                     EVP_DigestVerify(ctx, seal->signature, sizeof(seal->signature),
                                      (const unsigned char *)text.data, text.len) == 1
                 ? SP_OK
                 : SP_E_DENIED;
    }
    EVP_MD_CTX_free(ctx);
    sp_buf_release(&text);
    return rc;
}
