/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers of name servers, good, foreign, cut and malicious. */
#include "probe/caller/dns.h"

#include <string.h>

#include "tests/support/sp_cmocka.h"

#define NAME "a.example"

struct packet {
    uint8_t bytes[40000];
    size_t len;
};

static void put16(struct packet *p, unsigned value)
{
    p->bytes[p->len++] = (uint8_t)(value >> 8);
    p->bytes[p->len++] = (uint8_t)value;
}

static void put(struct packet *p, const void *bytes, size_t len)
{
    memcpy(p->bytes + p->len, bytes, len);
    p->len += len;
}

/* The head of an answer to the question for NAME. */
static struct packet answer(uint16_t type, unsigned flags, unsigned count)
{
    struct packet p = {.len = 0};
    p.len = sp_dns_question(NAME, type, 77, p.bytes);
    p.bytes[2] = (uint8_t)((0x8100U | flags) >> 8);
    p.bytes[3] = (uint8_t)flags;
    p.bytes[6] = (uint8_t)(count >> 8);
    p.bytes[7] = (uint8_t)count;
    return p;
}

static void entry(struct packet *p, const char *owner, size_t owner_len, unsigned type,
                  const void *data, size_t len)
{
    put(p, owner, owner_len);
    put16(p, type);
    put16(p, 1);
    put16(p, 0);
    put16(p, 60);
    put16(p, (unsigned)len);
    put(p, data, len);
}

#define OWNER "\xc0\x0c", 2

static bool parse(const struct packet *p, uint16_t type, struct sp_dns_answer *a)
{
    return sp_dns_parse(p->bytes, p->len, NAME, type, 77, a);
}

static void questions(void **state)
{
    uint8_t out[SP_DNS_QUESTION_MAX];
    (void)state;
    size_t len = sp_dns_question(NAME, SP_DNS_AAAA, 0x1234, out);
    assert_int_equal(len, 12 + 11 + 4);
    assert_memory_equal(out, "\x12\x34\x01\x00\x00\x01\0\0\0\0\0\0\1a\7example\0\0\x1c\0\1", len);
}

static void addresses_and_aliases(void **state)
{
    struct sp_dns_answer a;
    struct packet p = answer(SP_DNS_A, 0, 4);
    (void)state;
    /* a.example -> B.example (by a pointer into the question), and an address of somebody else */
    entry(&p, OWNER, 5, "\1B\xc0\x0e", 4);
    entry(&p, "\1b\7example", 11, SP_DNS_A, "\x0a\0\0\1", 4);
    entry(&p, "\1b\xc0\x0e", 4, SP_DNS_A, "\x0a\0\0\1", 4); /* again */
    entry(&p, "\1c\xc0\x0e", 4, SP_DNS_A, "\x0a\0\0\2", 4);
    assert_true(parse(&p, SP_DNS_A, &a));
    assert_int_equal(a.n, 1);
    assert_int_equal(a.total, 1);
    assert_int_equal(a.addrs[0].bytes[3], 1);
    for (size_t cut = 0; cut < p.len; cut++) {
        struct packet part = p;
        part.len = cut;
        assert_false(parse(&part, SP_DNS_A, &a));
    }
}

static void many(void **state)
{
    struct sp_dns_answer a;
    struct packet p = answer(SP_DNS_A, 0, 1000);
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        const uint8_t addr[] = {10, 0, (uint8_t)(i / 250), (uint8_t)(i % 250)};
        entry(&p, OWNER, SP_DNS_A, addr, 4);
    }
    assert_true(parse(&p, SP_DNS_A, &a));
    assert_int_equal(a.total, 1000);
    assert_int_equal(a.n, SP_DNS_ADDRS);
}

static void not_the_answer(void **state)
{
    struct sp_dns_answer a;
    struct packet p = answer(SP_DNS_A, 3, 0);
    (void)state;
    assert_true(parse(&p, SP_DNS_A, &a));
    assert_int_equal(a.rcode, SP_DNS_NXDOMAIN);
    assert_false(parse(&p, SP_DNS_AAAA, &a));
    assert_false(sp_dns_parse(p.bytes, p.len, NAME, SP_DNS_A, 78, &a));
    assert_false(sp_dns_parse(p.bytes, p.len, "b.example", SP_DNS_A, 77, &a));
    p.bytes[2] = 1; /* a question */
    assert_false(parse(&p, SP_DNS_A, &a));
    p = answer(SP_DNS_A, 0x200, 9);
    assert_true(parse(&p, SP_DNS_A, &a)); /* cut, and it says so */
    assert_true(a.is_truncated);
    p = answer(SP_DNS_A, 0, 9);
    assert_false(parse(&p, SP_DNS_A, &a)); /* cut, and it does not */
}

static void loops(void **state)
{
    struct sp_dns_answer a;
    struct packet p = answer(SP_DNS_A, 0, 1);
    (void)state;
    const char self[] = {(char)0xc0, (char)p.len};
    entry(&p, self, 2, SP_DNS_A, "\x0a\0\0\1", 4);
    assert_false(parse(&p, SP_DNS_A, &a)); /* a name that points at itself */
    p = answer(SP_DNS_A, 0, 2);
    entry(&p, OWNER, 5, "\1b\xc0\x0e", 4);
    entry(&p, "\1b\xc0\x0e", 4, 5, "\xc0\x0c", 2);
    assert_true(parse(&p, SP_DNS_A, &a)); /* aliases in a ring: no address */
    assert_int_equal(a.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(questions), cmocka_unit_test(addresses_and_aliases),
        cmocka_unit_test(many), cmocka_unit_test(not_the_answer), cmocka_unit_test(loops)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
