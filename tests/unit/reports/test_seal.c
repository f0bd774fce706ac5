/* SPDX-License-Identifier: Apache-2.0
 *
 * SHA-256 and signatures: known answers, and no changed byte passes. */
#include <stdio.h>
#include <string.h>

#include "probe/base/mem.h"
#include "reports/seal.h"
#include "tests/support/sp_cmocka.h"

static struct sp_seal sample(void)
{
    struct sp_seal seal = {.run_id = "5f2c9a01d7e3b846", .lines = 12};
    assert_int_equal(sp_sha256("first", 5, seal.header), SP_OK);
    assert_int_equal(sp_sha256("last", 4, seal.chain), SP_OK);
    return seal;
}

static void sha256(void **state)
{
    char out[SP_SHA256_STRLEN];
    (void)state;
    assert_int_equal(sp_sha256("abc", 3, out), SP_OK); /* FIPS 180-2, B.1 */
    assert_string_equal(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(sp_sha256(NULL, 0, out), SP_OK);
    assert_string_equal(out, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void round_trip(void **state)
{
    struct sp_seal seal = sample();
    struct sp_seal again;
    struct sp_key *key = NULL;
    struct sp_key *other = NULL;
    struct sp_buf out;
    struct sp_diag diag = {0};
    (void)state;
    sp_buf_init(&out, SP_SEAL_MAX_BYTES);
    assert_int_equal(sp_key_new(&key), SP_OK);
    assert_int_equal(sp_key_new(&other), SP_OK);
    assert_int_equal(sp_seal_sign(&seal, key, &out), SP_OK);
    assert_int_equal(sp_seal_parse(out.data, out.len, &again, &diag), SP_OK);
    assert_int_equal(again.lines, 12);
    assert_string_equal(again.fingerprint, seal.fingerprint);
    assert_true(sp_is_fingerprint(again.fingerprint));
    assert_int_equal(sp_seal_verify(&again, key), SP_OK);
    assert_int_equal(sp_seal_verify(&again, other), SP_E_DENIED);
    /* A key that claims to be the one that signed. */
    assert_int_equal(sp_key_fingerprint(other, again.fingerprint), SP_OK);
    assert_int_equal(sp_seal_verify(&again, other), SP_E_DENIED);
    sp_buf_release(&out);
    sp_key_free(key);
    sp_key_free(other);
}

static void every_bit_counts(void **state)
{
    struct sp_seal seal = sample();
    struct sp_seal again;
    struct sp_key *key = NULL;
    struct sp_buf out;
    (void)state;
    sp_buf_init(&out, SP_SEAL_MAX_BYTES);
    assert_int_equal(sp_key_new(&key), SP_OK);
    assert_int_equal(sp_seal_sign(&seal, key, &out), SP_OK);
    for (size_t i = 0; i < out.len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            out.data[i] = (char)(out.data[i] ^ 1 << bit);
            struct sp_diag diag = {0};
            enum sp_rc rc = sp_seal_parse(out.data, out.len, &again, &diag);
            assert_true(rc == SP_E_INVALID ? diag.text[0] != '\0'
                                           : sp_seal_verify(&again, key) == SP_E_DENIED);
            out.data[i] = (char)(out.data[i] ^ 1 << bit);
        }
    }
    for (size_t n = 0; n < out.len; n++) {
        assert_int_equal(sp_seal_parse(out.data, n, &again, NULL), SP_E_INVALID);
    }
    sp_buf_char(&out, '\n');
    assert_int_equal(sp_seal_parse(out.data, out.len, &again, NULL), SP_E_INVALID);
    sp_buf_release(&out);
    sp_key_free(key);
}

static void key_files(void **state)
{
    /* RFC 8410, 10.3 and 10.1 */
    static const char private_pem[] =
        "-----BEGIN PRIVATE KEY-----\n"
        "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
        "-----END PRIVATE KEY-----\n";
    static const char public_pem[] =
        "-----BEGIN PUBLIC KEY-----\n"
        "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
        "-----END PUBLIC KEY-----\n";
    char a[SP_FINGERPRINT_STRLEN];
    char b[SP_FINGERPRINT_STRLEN];
    struct sp_key *key = NULL;
    struct sp_key *public_key = NULL;
    struct sp_buf out;
    struct sp_diag diag = {0};
    (void)state;
    sp_buf_init(&out, SP_KEY_MAX_BYTES);
    assert_int_equal(sp_key_read(private_pem, strlen(private_pem), true, "k", &key, &diag), SP_OK);
    assert_int_equal(sp_key_read(public_pem, strlen(public_pem), false, "k", &public_key, &diag),
                     SP_OK);
    assert_int_equal(sp_key_fingerprint(key, a), SP_OK);
    assert_int_equal(sp_key_fingerprint(public_key, b), SP_OK);
    assert_string_equal(a, b);
    assert_int_equal(sp_key_write(key, false, &out), SP_OK);
    assert_string_equal(sp_buf_text(&out), public_pem);
    sp_buf_clear(&out);
    assert_int_equal(sp_key_write(key, true, &out), SP_OK);
    assert_string_equal(sp_buf_text(&out), private_pem);
    sp_key_free(key);
    key = NULL;
    assert_int_equal(sp_key_read(public_pem, strlen(public_pem), true, "k", &key, &diag),
                     SP_E_INVALID);
    assert_non_null(strstr(diag.text, "no private key"));
    assert_int_equal(sp_key_read("", 0, false, "k", &key, &diag), SP_E_INVALID);
    assert_int_equal(sp_key_read(private_pem, SP_KEY_MAX_BYTES + 1, true, "k", &key, &diag),
                     SP_E_INVALID);
    assert_null(key);
    /* What has no private half cannot sign. */
    struct sp_seal seal = sample();
    assert_int_not_equal(sp_seal_sign(&seal, public_key, &out), SP_OK);
    sp_key_free(public_key);
    sp_buf_release(&out);
    assert_false(sp_is_fingerprint("SHA256:12"));
    assert_false(sp_is_fingerprint("sha256:12"));
}

static void out_of_memory(void **state)
{
    (void)state;
    for (size_t n = 1;; n++) {
        struct sp_seal seal = sample();
        struct sp_key *key = NULL;
        struct sp_buf out;
        sp_buf_init(&out, SP_SEAL_MAX_BYTES);
        sp_mem_fail_at(n, 0);
        enum sp_rc rc = sp_key_new(&key);
        rc = rc == SP_OK ? sp_seal_sign(&seal, key, &out) : rc;
        rc = rc == SP_OK ? sp_seal_verify(&seal, key) : rc;
        size_t asked = sp_mem_fail_at(0, 0);
        sp_key_free(key);
        sp_buf_release(&out);
        if (asked < n) {
            assert_int_equal(rc, SP_OK);
            break;
        }
        assert_int_equal(rc, SP_E_NOMEM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256),           cmocka_unit_test(round_trip),
        cmocka_unit_test(every_bit_counts), cmocka_unit_test(key_files),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
