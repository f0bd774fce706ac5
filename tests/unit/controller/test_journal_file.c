/* SPDX-License-Identifier: Apache-2.0
 *
 * Journals that a crash, a disk or another version left: what is whole is taken, a last entry that
 * was cut off is dropped, everything else is refused, and nothing is ever read that was not
 * written. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "controller/journal_priv.h"
#include "probe/base/mem.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/controller/journal_kit.h"

/* Where each of the three entries ends. */
static void ends(size_t end[4])
{
    for (size_t n = 0; n <= 3; n++) {
        size_t len = 0;
        sp_jk_write(n);
        sp_free(sp_jk_read(sp_jk.path, &len));
        end[n] = len;
    }
}

static void cut_anywhere(void **state)
{
    (void)state;
    size_t end[4];
    ends(end);
    size_t len = 0;
    uint8_t *bytes = sp_jk_read(sp_jk.path, &len);
    for (size_t cut = 0; cut < len; cut++) {
        sp_jk_store(sp_jk.path, bytes, cut);
        struct sp_journal *journal = sp_jk_open(cut < end[0] ? SP_E_INVALID : SP_OK);
        if (!journal) {
            continue;
        }
        size_t whole = (cut >= end[1]) + (cut >= end[2]);
        assert_int_equal(sp_journal_count(journal), whole);
        for (size_t i = 0; i < whole; i++) {
            sp_jk_check(journal, i);
        }
        sp_jk_append(journal, 2); /* where the cut was */
        sp_journal_free(journal);
        journal = sp_jk_open(SP_OK);
        assert_int_equal(sp_journal_count(journal), whole + 1);
        sp_jk_check(journal, 2);
        sp_journal_free(journal);
    }
    sp_free(bytes);
}

/* Room that the file system gave, and the bytes never came. */
static void a_blank_tail(void **state)
{
    (void)state;
    static const size_t blanks[] = {1, 15, 16, 17, 300, 5000};
    sp_jk_write(2);
    size_t len = 0;
    uint8_t *bytes = sp_jk_read(sp_jk.path, &len);
    uint8_t *longer = sp_calloc(len + 5000, 1);
    assert_non_null(longer);
    memcpy(longer, bytes, len);
    for (size_t i = 0; i < sizeof(blanks) / sizeof(blanks[0]); i++) {
        sp_jk_store(sp_jk.path, longer, len + blanks[i]);
        struct sp_journal *journal = sp_jk_open(SP_OK);
        assert_int_equal(sp_journal_count(journal), 2);
        sp_jk_append(journal, 2);
        sp_journal_free(journal);
        journal = sp_jk_open(SP_OK);
        assert_int_equal(sp_journal_count(journal), 3);
        sp_journal_free(journal);
    }
    longer[len + 4000] = 1;
    sp_jk_store(sp_jk.path, longer, len + 5000);
    (void)sp_jk_open(SP_E_INVALID);
    sp_free(longer);
    sp_free(bytes);
}

/* One bit anywhere: refused, or the last entry is dropped; what is read is what was written. */
static void a_flipped_bit(void **state)
{
    (void)state;
    size_t end[4];
    ends(end);
    size_t len = 0;
    size_t refused = 0;
    uint8_t *bytes = sp_jk_read(sp_jk.path, &len);
    for (size_t at = 0; at < len; at++) {
        struct sp_journal *journal = NULL;
        bytes[at] ^= (uint8_t)(1U << (at % 8));
        sp_jk_store(sp_jk.path, bytes, len);
        bytes[at] ^= (uint8_t)(1U << (at % 8));
        enum sp_rc rc = sp_journal_open(sp_jk.folder, SP_JK_ID, &sp_jk.model, &journal, NULL);
        refused += rc != SP_OK;
        assert_true(rc == SP_OK || rc == SP_E_INVALID || (rc == SP_E_DENIED && at < 8));
        assert_true(rc != SP_OK || at >= end[2]);
        for (size_t i = 0; rc == SP_OK && i < 2; i++) {
            sp_jk_check(journal, i);
        }
        assert_true(rc != SP_OK || !sp_journal_has(journal, 2));
        sp_journal_free(journal);
    }
    assert_true(refused >= end[2]);
    sp_free(bytes);
}

static void other_files(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "S",
                                        "SPJRNL1\n",
                                        "SPJRNL1\nxxxxxxxxxxxxxxxxxxxxxx",
                                        "segproof: 1\nname: shop\n",
                                        "SPLEDG1\n000000000000"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        sp_jk_store(sp_jk.path, texts[i], strlen(texts[i]));
        (void)sp_jk_open(SP_E_INVALID);
    }
    sp_jk_store(sp_jk.path, "SPJRNL2\nxxxxxxxxxxxxxxxx", 24);
    (void)sp_jk_open(SP_E_DENIED); /* of another version */
}

/* A file of frames that are whole, with these payloads. */
static void store_frames(struct sp_buf *const *payloads, size_t n)
{
    struct sp_buf file;
    sp_buf_init(&file, 1U << 20);
    sp_buf_str(&file, SP_JOURNAL_MAGIC);
    for (size_t i = 0; i < n; i++) {
        sp_journal_add_frame(&file, payloads[i]);
    }
    assert_int_equal(file.rc, SP_OK);
    sp_jk_store(sp_jk.path, file.data, file.len);
    sp_buf_release(&file);
}

static struct sp_journal_head good_head(void)
{
    struct sp_journal_head head = sp_jk.head;
    (void)snprintf(head.topology_sha256, sizeof(head.topology_sha256), "%s", sp_jk.model.sha256);
    head.seed = 77;
    head.depth = SP_DEPTH_EXHAUSTIVE;
    head.nsweeps = 3;
    return head;
}

static void store_head(const struct sp_journal_head *head)
{
    struct sp_buf payload;
    struct sp_buf *payloads[] = {&payload};
    sp_buf_init(&payload, 1U << 20);
    sp_journal_put_head(head, &payload);
    store_frames(payloads, 1);
    sp_buf_release(&payload);
}

static void heads_with_nonsense(void **state)
{
    (void)state;
    char control[] = "web\x1b[2J";
    struct sp_journal_head bad[8];
    for (size_t i = 0; i < 8; i++) {
        bad[i] = good_head();
    }
    store_head(&bad[0]);
    sp_journal_free(sp_jk_open(SP_OK));
    bad[0].seed = 0;
    bad[1].depth = SP_DEPTH_EXHAUSTIVE + 1;
    bad[2].nsweeps = 0;
    bad[3].nsweeps = SP_JOURNAL_SWEEPS_MAX + 1;
    bad[4].slice.at = 1; /* of no parts */
    bad[5].slice = (struct sp_slice){.at = 7, .of = 7};
    bad[5].rolling = 7;
    bad[6].rolling = 7; /* and the slice is everything */
    bad[7].from = control;
    for (size_t i = 0; i < 8; i++) {
        store_head(&bad[i]);
        (void)sp_jk_open(SP_E_INVALID);
    }
}

static void another_version_of_the_program(void **state)
{
    (void)state;
    struct sp_journal_head head = good_head();
    struct sp_buf payload;
    struct sp_buf *payloads[] = {&payload};
    sp_buf_init(&payload, 1U << 20);
    sp_journal_put_head(&head, &payload);
    payload.data[3]++; /* the first letter of the version, after the kind and its length */
    store_frames(payloads, 1);
    (void)sp_jk_open(SP_E_DENIED);
    sp_buf_release(&payload);
}

/* Frames whose checks are right and whose content is not. */
static void entries_with_nonsense(void **state)
{
    (void)state;
    struct sp_journal_head head = good_head();
    struct sp_sweep_status status = {0};
    struct sp_sweep_span span = {.lo = 5, .hi = 5};
    struct sp_buf first;
    struct sp_buf entry;
    struct sp_buf end;
    struct sp_buf *payloads[] = {&first, &entry, &end};
    struct sp_buf *after[] = {&first, &end, &entry};
    sp_buf_init(&first, 1U << 20);
    sp_buf_init(&entry, 1U << 20);
    sp_buf_init(&end, 16);
    sp_journal_put_head(&head, &first);
    sp_journal_put_end(&end);
    sp_journal_put_sweep(2, &status, &span, 1, &entry);
    store_frames(payloads, 2);
    sp_journal_free(sp_jk_open(SP_OK));
    store_frames(payloads, 3);
    (void)sp_jk_open(SP_E_DENIED); /* the run was finished */
    store_frames(after, 3);
    (void)sp_jk_open(SP_E_INVALID); /* and then went on */
    store_frames(&payloads[1], 1);
    (void)sp_jk_open(SP_E_INVALID); /* without a head */
    entry.data[4] = 3;              /* a sweep that the plan has not */
    store_frames(payloads, 2);
    (void)sp_jk_open(SP_E_INVALID);
    entry.data[4] = 2;
    entry.data[SP_JOURNAL_SWEEP_BYTES - 1] = 2; /* more ranges than there are */
    store_frames(payloads, 2);
    (void)sp_jk_open(SP_E_INVALID);
    entry.data[SP_JOURNAL_SWEEP_BYTES - 1] = 1;
    entry.data[0] = 9; /* a kind that there is not */
    store_frames(payloads, 2);
    (void)sp_jk_open(SP_E_INVALID);
    entry.data[0] = 2;
    entry.len--;
    store_frames(payloads, 2);
    (void)sp_jk_open(SP_E_INVALID);
    sp_buf_release(&first);
    sp_buf_release(&entry);
    sp_buf_release(&end);
}

static void in_memory(void **state)
{
    (void)state;
    struct sp_diag diag = {0};
    size_t len = 0;
    sp_jk_write(3);
    uint8_t *bytes = sp_jk_read(sp_jk.path, &len);
    assert_int_equal(sp_journal_check(bytes, len, &diag), SP_OK);
    assert_int_equal(sp_journal_check(bytes, 7, &diag), SP_E_INVALID);
    assert_true(diag.text[0] != '\0');
    sp_free(bytes);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, sp_jk_setup, sp_jk_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(cut_anywhere),          EACH(a_blank_tail),
        EACH(a_flipped_bit),         EACH(other_files),
        EACH(heads_with_nonsense),   EACH(another_version_of_the_program),
        EACH(entries_with_nonsense), EACH(in_memory)};
    return cmocka_run_group_tests_name("journal_file", tests, NULL, NULL);
}
