/* SPDX-License-Identifier: Apache-2.0
 *
 * Files of packets read back: what our own writer writes, and nothing else; every truncation. */
#include <string.h>

#include "probe/base/mem.h"
#include "reports/manifest.h"
#include "reports/pcapng.h"
#include "tests/support/sp_cmocka.h"

static const uint8_t ipv4[20] = {0x45, 0, 0, 20, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2};

static void add(struct sp_buf *out, const char *comment, uint32_t len)
{
    const struct sp_pcapng_packet packet = {
        .bytes = ipv4, .len = len, .wire_len = len, .comment = comment};
    sp_pcapng_packet(out, &packet);
}

static void make(struct sp_buf *out)
{
    sp_buf_init(out, 1U << 16);
    sp_pcapng_section(out, "segproof", "a comment");
    sp_pcapng_interface(out, "a:eth0", "", SP_LINKTYPE_IPV4, 192);
    add(out, "check=0011223344556677 run=8899aabbccddeeff role=sent host=\"x role=control\"", 20);
    add(out, "check=0011223344556677 run=8899aabbccddeeff role=control control=sent host=a", 20);
    add(out, "check=0011223344556677 run=8899aabbccddeeff role=stray host=a", 20);
    assert_int_equal(out->rc, SP_OK);
}

static enum sp_rc look(const struct sp_buf *file, size_t len, const char *run, const char *id,
                       const char *addr, struct sp_packets *ret)
{
    struct sp_proof_flow flow = {0};
    struct sp_diag diag = {0};
    uint8_t *copy = sp_calloc(len ? len : 1, 1); /* so that a sanitizer sees what lies behind */
    assert_non_null(copy);
    if (len > 0) {
        memcpy(copy, file->data, len);
    }
    if (addr) {
        assert_int_equal(sp_addr_parse(addr, &flow.addrs[3]), SP_OK);
    }
    enum sp_rc rc = sp_packets_read(copy, len, run, id, &flow, addr ? 1 : 0, ret, &diag);
    assert_true((rc == SP_OK) == (diag.text[0] == '\0'));
    sp_free(copy);
    return rc;
}

static void reads(void **state)
{
    static const char run[] = "8899aabbccddeeff";
    static const char id[] = "0011223344556677";
    struct sp_packets found;
    struct sp_buf file;
    (void)state;
    make(&file);
    assert_int_equal(look(&file, file.len, run, id, "10.0.0.2", &found), SP_OK);
    assert_int_equal(found.total, 3);
    assert_int_equal(found.plain, 1);
    assert_int_equal(found.matching, 1);
    assert_int_equal(look(&file, file.len, NULL, NULL, "10.0.0.3", &found), SP_OK);
    assert_int_equal(found.matching, 0);
    assert_int_equal(look(&file, file.len, "8899aabbccddeef", id, NULL, &found), SP_E_INVALID);
    assert_int_equal(look(&file, file.len, run, "1111223344556677", NULL, &found), SP_E_INVALID);
    sp_buf_release(&file);
}

static void refuses(void **state)
{
    struct sp_packets found;
    struct sp_buf file;
    (void)state;
    make(&file);
    size_t blocks = 0;
    for (size_t n = 0; n < file.len; n++) {
        blocks += look(&file, n, NULL, NULL, NULL, &found) == SP_OK; /* cut between two blocks */
    }
    assert_int_equal(blocks, 4);
    for (size_t i = 0; i < file.len; i++) { /* nothing is read that is not there */
        file.data[i] = (char)(file.data[i] ^ 0xff);
        (void)look(&file, file.len, "8899aabbccddeeff", NULL, NULL, &found);
        file.data[i] = (char)(file.data[i] ^ 0xff);
    }
    add(&file, "role=sent", 12);
    assert_int_equal(look(&file, file.len, NULL, NULL, NULL, &found), SP_E_INVALID); /* not IP */
    sp_buf_release(&file);
    make(&file);
    add(&file, NULL, 20);
    assert_int_equal(look(&file, file.len, NULL, NULL, NULL, &found), SP_E_INVALID);
    sp_buf_release(&file);
    make(&file);
    sp_pcapng_section(&file, "x", "y");
    assert_int_equal(look(&file, file.len, NULL, NULL, NULL, &found), SP_E_INVALID);
    sp_buf_release(&file);
    sp_buf_init(&file, 1024);
    sp_pcapng_interface(&file, "a", "", SP_LINKTYPE_IPV4, 192);
    assert_int_equal(look(&file, file.len, NULL, NULL, NULL, &found), SP_E_INVALID);
    sp_buf_release(&file);
    sp_buf_init(&file, 1024);
    sp_pcapng_section(&file, "x", "y");
    sp_pcapng_interface(&file, "a", "", 1, 192); /* Ethernet */
    assert_int_equal(look(&file, file.len, NULL, NULL, NULL, &found), SP_E_INVALID);
    sp_buf_release(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads), cmocka_unit_test(refuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
