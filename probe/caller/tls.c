/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/caller/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "probe/base/addr.h"
#include "probe/base/hostname.h"
#include "probe/base/mem.h"
#include "probe/wire/message.h"

#define NAMES_MAX   16U  /* of a certificate that are told */
#define TEXT_MAX    200U /* bytes of a name that are told */
#define CA_MAX      512U /* certificates of a file that are read */
#define CHAIN_BYTES 65536

struct sp_tls {
    SSL_CTX *ctx;
    X509_STORE *store; /* NULL: there is none on this host */
    bool is_given;
};

/* Where distributions keep what they trust. */
static X509_STORE *system_store(void)
{
    static const char *const files[] = {"/etc/ssl/certs/ca-certificates.crt",
                                        "/etc/pki/tls/certs/ca-bundle.crt",
                                        "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};
    for (size_t i = 0; i < SP_ARRAY_LEN(files); i++) {
        X509_STORE *store = X509_STORE_new();
        if (store && X509_STORE_load_file(store, files[i]) == 1) {
            return store;
        }
        X509_STORE_free(store);
    }
    ERR_clear_error();
    return NULL;
}

static X509_STORE *given_store(const char *ca, size_t len)
{
    X509_STORE *store = X509_STORE_new();
    BIO *in = BIO_new_mem_buf(ca, (int)len);
    unsigned n = 0;
    for (X509 *cert;
         store && in && n < CA_MAX && (cert = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL;) {
        n += X509_STORE_add_cert(store, cert) == 1;
        X509_free(cert);
    }
    ERR_clear_error();
    BIO_free(in);
    if (n == 0) {
        X509_STORE_free(store);
        return NULL;
    }
    return store;
}

enum sp_rc sp_tls_new(const char *ca, size_t ca_len, struct sp_tls **ret_tls)
{
    struct sp_tls *tls = sp_calloc(1, sizeof(*tls));
    /* The host's openssl.cnf must not change what is asked of a server. */
    if (!tls || OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1) {
        sp_free(tls);
        return SP_E_NOMEM;
    }
    tls->is_given = ca != NULL;
    tls->store = ca ? given_store(ca, ca_len) : system_store();
    tls->ctx = SSL_CTX_new(TLS_client_method());
    if (!tls->ctx || SSL_CTX_set_min_proto_version(tls->ctx, TLS1_2_VERSION) != 1) {
        sp_tls_free(tls);
        return SP_E_NOMEM;
    }
    SSL_CTX_set_verify(tls->ctx, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_max_cert_list(tls->ctx, CHAIN_BYTES);
    (void)SSL_CTX_set_options(tls->ctx, SSL_OP_NO_TICKET | SSL_OP_IGNORE_UNEXPECTED_EOF);
    *ret_tls = tls;
    return SP_OK;
}

void sp_tls_free(struct sp_tls *tls)
{
    if (tls) {
        X509_STORE_free(tls->store);
        SSL_CTX_free(tls->ctx);
        sp_free(tls);
    }
}

SSL *sp_tls_session(struct sp_tls *tls, int fd, const char *sni, const unsigned char *alpn,
                    size_t alpn_len)
{
    SSL *ssl = SSL_new(tls->ctx);
    char name[SP_HOSTNAME_STRLEN]; /* OpenSSL only reads it; its interface is not const-correct */
    (void)snprintf(name, sizeof(name), "%s", sni);
    if (!ssl || SSL_set_fd(ssl, fd) != 1 || (name[0] && SSL_set_tlsext_host_name(ssl, name) != 1) ||
        (alpn_len > 0 && SSL_set_alpn_protos(ssl, alpn, (unsigned)alpn_len) != 0)) {
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_connect_state(ssl);
    return ssl;
}

void sp_tls_reason(char *out, size_t size)
{
    unsigned long code = ERR_peek_last_error();
    const char *text = code ? ERR_reason_error_string(code) : NULL;
    (void)snprintf(out, size, "%s", text ? text : "");
    ERR_clear_error();
}

/* Printable ASCII; the rest becomes '?'. */
static void tell_text(struct sp_buf *out, const char *key, const unsigned char *text, size_t len)
{
    char plain[TEXT_MAX + 1];
    len = len < TEXT_MAX ? len : TEXT_MAX;
    for (size_t i = 0; i < len; i++) {
        plain[i] = (char)(text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?');
    }
    plain[len] = '\0';
    sp_fields_add(out, key, plain);
}

static void tell_name(struct sp_buf *out, const char *key, const X509_NAME *name)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0) {
        long len = BIO_get_mem_data(bio, &text);
        tell_text(out, key, (const unsigned char *)text, len > 0 ? (size_t)len : 0);
    }
    BIO_free(bio);
}

static bool to_seconds(const ASN1_TIME *at, uint64_t *ret_s)
{
    struct tm tm;
    if (!at || ASN1_TIME_to_tm(at, &tm) != 1) {
        return false;
    }
    time_t seconds = timegm(&tm);
    *ret_s = seconds > 0 ? (uint64_t)seconds : 0;
    return true;
}

static void tell_names(struct sp_buf *out, const X509 *leaf)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    int n = names ? sk_GENERAL_NAME_num(names) : 0;
    for (int i = 0; i < n && i < (int)NAMES_MAX; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS) {
            tell_text(out, "cert.name", ASN1_STRING_get0_data(name->d.dNSName),
                      (size_t)ASN1_STRING_length(name->d.dNSName));
        } else if (name->type == GEN_IPADD) {
            char text[SP_ADDR_STRLEN];
            int len = ASN1_STRING_length(name->d.iPAddress);
            if (len == 4 || len == 16) {
                struct sp_addr addr = sp_addr_from_bytes(len == 4 ? SP_FAMILY_IPV4 : SP_FAMILY_IPV6,
                                                         ASN1_STRING_get0_data(name->d.iPAddress));
                sp_fields_add(out, "cert.name", sp_addr_str(&addr, text));
            }
        }
    }
    sp_fields_add_u64(out, "cert.names", (uint64_t)(n > 0 ? n : 0));
    GENERAL_NAMES_free(names);
}

static void tell_dates(struct sp_buf *out, const X509 *leaf)
{
    uint64_t from = 0;
    uint64_t until = 0;
    /* Without dates: nobody will call it valid. */
    if (to_seconds(X509_get0_notBefore(leaf), &from) &&
        to_seconds(X509_get0_notAfter(leaf), &until)) {
        sp_fields_add_u64(out, "cert.from", from);
        sp_fields_add_u64(out, "cert.until", until);
    }
}

/* When the first of the chain that was built ends, and the last of it begins: what else a server
 * sends (an old cross-signed root) matters to nobody. */
static void tell_chain_dates(struct sp_buf *out, const STACK_OF(X509) * built)
{
    uint64_t from = 0;
    uint64_t until = UINT64_MAX;
    int n = sk_X509_num(built);
    for (int i = 0; i < n; i++) {
        uint64_t begin = 0;
        uint64_t end = 0;
        if (!to_seconds(X509_get0_notBefore(sk_X509_value(built, i)), &begin) ||
            !to_seconds(X509_get0_notAfter(sk_X509_value(built, i)), &end)) {
            return;
        }
        from = begin > from ? begin : from;
        until = end < until ? end : until;
    }
    if (n > 0) {
        sp_fields_add_u64(out, "chain.from", from);
        sp_fields_add_u64(out, "chain.until", until);
    }
}

static void tell_chain(struct sp_tls *tls, struct sp_buf *out, X509 *leaf, STACK_OF(X509) * chain)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    sp_fields_add(out, "chain.store", !tls->store ? "none" : tls->is_given ? "given" : "system");
    if (ctx && tls->store && X509_STORE_CTX_init(ctx, tls->store, leaf, chain) == 1) {
        X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
        (void)X509_VERIFY_PARAM_set_flags(
            param, X509_V_FLAG_NO_CHECK_TIME | (tls->is_given ? X509_V_FLAG_PARTIAL_CHAIN : 0UL));
        (void)X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_SERVER);
        bool is_good = X509_verify_cert(ctx) == 1;
        int error = X509_STORE_CTX_get_error(ctx);
        STACK_OF(X509) *built = X509_STORE_CTX_get0_chain(ctx);
        int n = sk_X509_num(built);
        sp_fields_add(out, "chain.good", is_good && error == X509_V_OK ? "1" : "0");
        sp_fields_add(out, "chain.why", X509_verify_cert_error_string(error));
        tell_chain_dates(out, built);
        if (n > 0) {
            tell_name(out, "chain.top", X509_get_subject_name(sk_X509_value(built, n - 1)));
            tell_name(out, "chain.issuer", X509_get_issuer_name(sk_X509_value(built, n - 1)));
        }
    }
    X509_STORE_CTX_free(ctx);
    ERR_clear_error();
}

void sp_tls_tell(struct sp_tls *tls, SSL *ssl, const char *name, struct sp_buf *out)
{
    const unsigned char *alpn = NULL;
    unsigned alpn_len = 0;
    struct sp_addr addr;
    X509 *leaf = SSL_get0_peer_certificate(ssl);
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
    SSL_get0_alpn_selected(ssl, &alpn, &alpn_len);
    sp_fields_add(out, "tls.version", SSL_get_version(ssl));
    sp_fields_add(out, "tls.cipher", SSL_get_cipher_name(ssl));
    if (alpn_len > 0) {
        tell_text(out, "tls.alpn", alpn, alpn_len);
    }
    if (!leaf) {
        return;
    }
    sp_fields_add_u64(out, "chain.n", (uint64_t)sk_X509_num(chain));
    tell_name(out, "cert.subject", X509_get_subject_name(leaf));
    tell_name(out, "cert.issuer", X509_get_issuer_name(leaf));
    tell_names(out, leaf);
    tell_dates(out, leaf);
    bool is_named =
        sp_addr_parse(name, &addr) == SP_OK
            ? X509_check_ip_asc(leaf, name, 0) == 1
            : X509_check_host(leaf, name, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1;
    sp_fields_add(out, "cert.fits", is_named ? "1" : "0");
    tell_chain(tls, out, leaf, chain);
}
