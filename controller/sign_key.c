/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/sign_key.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/state_dir.h"
#include "reports/sink.h"

#define SP_OWN_KEY    "evidence.key"
#define SP_OWN_PUBLIC "evidence.pub"

/* A whole small file; buf holds secrets when the key is private. */
static enum sp_rc read_file(const char *path, bool is_private, char *buf, size_t size,
                            size_t *ret_len, struct sp_diag *diag)
{
    struct stat st;
    size_t len = 0;
    ssize_t n = 1;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return sp_fail_errno(diag, path, "cannot read the key");
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        (void)close(fd);
        return sp_fail(diag, SP_E_INVALID, path, "is no file: a key in PEM is needed");
    }
    if (is_private && (st.st_mode & 077) != 0) {
        (void)close(fd);
        return sp_fail(diag, SP_E_DENIED, path,
                       "others may read or write this private key: chmod 600, and make a new one "
                       "when somebody has");
    }
    while (len < size && (n = read(fd, buf + len, size - len)) != 0) {
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            break;
        }
        len += (size_t)n;
    }
    enum sp_rc rc = n < 0 ? sp_fail_errno(diag, path, "cannot read the key") : SP_OK;
    (void)close(fd);
    *ret_len = len;
    return rc;
}

static enum sp_rc load(const char *path, bool is_private, struct sp_key **ret_key,
                       struct sp_diag *diag)
{
    char pem[SP_KEY_MAX_BYTES + 1];
    size_t len = 0;
    enum sp_rc rc = read_file(path, is_private, pem, sizeof(pem), &len, diag);
    if (rc == SP_OK) {
        rc = sp_key_read(pem, len, is_private, path, ret_key, diag);
    }
    OPENSSL_cleanse(pem, sizeof(pem));
    return rc;
}

/* Who makes the file first wins: the key is written beside it, synced, and linked to its name. */
static enum sp_rc store_private(const char *path, const struct sp_buf *pem, struct sp_diag *diag)
{
    char beside[PATH_MAX];
    int n = snprintf(beside, sizeof(beside), "%s.XXXXXX", path);
    int fd = n > 0 && (size_t)n < sizeof(beside) ? mkostemp(beside, O_CLOEXEC) : -1;
    if (fd < 0) {
        return sp_fail_errno(diag, path, "cannot make a key there");
    }
    bool good = write(fd, pem->data, pem->len) == (ssize_t)pem->len && fsync(fd) == 0;
    good = close(fd) == 0 && good;
    good = good && (link(beside, path) == 0 || errno == EEXIST);
    enum sp_rc rc = good ? SP_OK : sp_fail_errno(diag, path, "cannot make a key there");
    (void)unlink(beside);
    return rc;
}

static enum sp_rc make_own(const char *path, struct sp_diag *diag)
{
    struct sp_key *key = NULL;
    struct sp_buf pem;
    sp_buf_init(&pem, SP_KEY_MAX_BYTES);
    enum sp_rc rc = sp_key_new(&key);
    if (rc == SP_OK) {
        rc = sp_key_write(key, true, &pem);
    }
    rc = rc == SP_OK ? store_private(path, &pem, diag)
                     : sp_fail(diag, rc, path, "cannot make a key: %s", sp_rc_str(rc));
    if (pem.data) {
        OPENSSL_cleanse(pem.data, pem.cap);
    }
    sp_buf_release(&pem);
    sp_key_free(key);
    return rc;
}

/* Is this the public half of the key? */
static bool is_half_of(const char *path, const struct sp_key *key)
{
    char a[SP_FINGERPRINT_STRLEN];
    char b[SP_FINGERPRINT_STRLEN];
    struct sp_key *half = NULL;
    bool good = load(path, false, &half, NULL) == SP_OK && sp_key_fingerprint(key, a) == SP_OK &&
                sp_key_fingerprint(half, b) == SP_OK && strcmp(a, b) == 0;
    sp_key_free(half);
    return good;
}

/* For whoever checks elsewhere. */
static enum sp_rc store_public(const struct sp_key *key, struct sp_diag *diag)
{
    char path[PATH_MAX];
    struct sp_buf pem;
    if (!sp_state_path(SP_OWN_PUBLIC, path, sizeof(path)) || is_half_of(path, key)) {
        return SP_OK;
    }
    sp_buf_init(&pem, SP_KEY_MAX_BYTES);
    enum sp_rc rc = sp_key_write(key, false, &pem);
    rc = rc == SP_OK ? sp_sink_write_file(path, &pem, diag)
                     : sp_fail(diag, rc, path, "%s", sp_rc_str(rc));
    sp_buf_release(&pem);
    return rc;
}

enum sp_rc sp_sign_key_open(const char *path, struct sp_key **ret_key, struct sp_diag *diag)
{
    char own[PATH_MAX];
    if (path) {
        return load(path, true, ret_key, diag);
    }
    if (!sp_state_path(SP_OWN_KEY, own, sizeof(own))) {
        return sp_fail(diag, SP_E_SYSTEM, "",
                       "there is no state folder to keep a key in that signs evidence: name one "
                       "with --sign-key");
    }
    enum sp_rc rc = access(own, F_OK) == 0 ? SP_OK : make_own(own, diag);
    struct sp_key *key = NULL;
    if (rc == SP_OK) {
        rc = load(own, true, &key, diag);
    }
    if (rc == SP_OK) {
        rc = store_public(key, diag);
    }
    if (rc == SP_OK) {
        *ret_key = key;
    } else {
        sp_key_free(key);
    }
    return rc;
}

enum sp_rc sp_sign_key_public(const char *path, struct sp_key **ret_key, struct sp_diag *diag)
{
    return load(path, false, ret_key, diag);
}

bool sp_sign_key_own(char out[static SP_FINGERPRINT_STRLEN])
{
    char own[PATH_MAX];
    struct sp_key *key = NULL;
    bool good = sp_state_name(SP_OWN_KEY, own, sizeof(own)) &&
                load(own, true, &key, NULL) == SP_OK && sp_key_fingerprint(key, out) == SP_OK;
    sp_key_free(key);
    return good;
}
