/* SPDX-License-Identifier: Apache-2.0
 *
 * A folder of evidence, written and checked: files changed, missing, added, the key, memory. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/evidence_check.h"
#include "controller/evidence_dir.h"
#include "controller/sign_key.h"
#include "probe/base/mem.h"
#include "reports/sink.h"
#include "tests/support/sample_result.h"
#include "tests/support/sp_cmocka.h"

static char root[64];
static char dir[80];

static void empty(const char *path)
{
    DIR *open = opendir(path);
    const struct dirent *entry;
    while (open && (entry = readdir(open)) != NULL) {
        char inside[600];
        (void)snprintf(inside, sizeof(inside), "%s/%s", path, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            unlink(inside) != 0) {
            empty(inside);
        }
    }
    if (open) {
        (void)closedir(open);
    }
    (void)rmdir(path);
}

static int drop_root(void **state)
{
    (void)state;
    empty(root);
    return 0;
}

/* Made-up evidence of a made-up run, with the installation's own key. */
static int make_root(void **state)
{
    static const uint8_t ipv4[20] = {0x45, 0, 0, 20, 0, 0, 0, 0, 64, 6, 0, 0};
    struct sp_sample *sample = sp_sample_shop();
    struct sp_result *result = sample->result;
    struct sp_summary *summary = NULL;
    struct sp_manifest_files files = {0};
    struct sp_key *key = NULL;
    struct sp_diag diag = {0};
    char print[SP_FINGERPRINT_STRLEN];
    (void)state;
    (void)snprintf(root, sizeof(root), "/tmp/sp-signed-XXXXXX");
    if (!mkdtemp(root) || setenv("XDG_STATE_HOME", root, 1) != 0) {
        return -1;
    }
    (void)snprintf(dir, sizeof(dir), "%s/run", root);
    result->packets_sent = result->packets_captured = result->capture_drops = 0;
    for (size_t i = 0; i < result->model->nhosts; i++) {
        result->packets_sent += result->hosts[i].packets_sent;
        result->packets_captured += result->hosts[i].packets_captured;
        result->capture_drops += result->hosts[i].capture_drops;
    }
    /* The sample was made by hand: its topology is the empty file. */
    assert_int_equal(sp_sha256("", 0, sample->model->sha256), SP_OK);
    assert_int_equal(sp_evidence_new(result->ntests, &result->evidence), SP_OK);
    for (uint32_t t = 0; t < result->ntests; t++) {
        const struct sp_pair *pair = &result->plan->pairs[result->tests[t].pair];
        uint8_t bytes[40] = {0x60};
        uint16_t len = pair->family == SP_FAMILY_IPV4 ? 20 : 40;
        if (pair->family == SP_FAMILY_IPV4) {
            memcpy(bytes, ipv4, sizeof(ipv4));
        }
        memcpy(bytes + (len == 20 ? 12 : 8), pair->src.bytes, len == 20 ? 4 : 16);
        const struct sp_evidence_packet p = {.test = t, .len = len, .wire_len = len, .iface = "e"};
        sp_evidence_add(result->evidence, &p, bytes);
    }
    assert_int_equal(sp_summary_new(result, &summary), SP_OK);
    assert_int_equal(sp_sign_key_open(NULL, &key, &diag), SP_OK);
    assert_int_equal(sp_key_fingerprint(key, print), SP_OK);
    const struct sp_manifest_how how = {.fingerprint = print};
    assert_int_equal(sp_evidence_dir_make(dir, &diag), SP_OK);
    assert_int_equal(sp_evidence_dir_write(dir, summary, &files, &diag), SP_OK);
    assert_int_equal(sp_evidence_dir_seal(dir, summary, &how, key, &files, &diag), SP_OK);
    sp_manifest_files_release(&files);
    sp_key_free(key);
    sp_summary_free(summary);
    sp_sample_free(sample);
    return 0;
}

static const char *in_dir(const char *name)
{
    static char path[400];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

/* One of the differences is of this file and says this; file NULL: there is none. */
static void finds(const char *file, const char *words)
{
    struct sp_evidence_check checked;
    struct sp_diag diag = {0};
    bool found = file == NULL;
    assert_int_equal(sp_evidence_check(dir, NULL, &checked, &diag), SP_OK);
    for (size_t i = 0; i < checked.check.ndifferences; i++) {
        const struct sp_difference *d = &checked.check.differences[i];
        found = found || (strcmp(d->file, file) == 0 && strstr(d->text, words));
        if (!file || !found) {
            print_message("%s:%zu: %s %s\n", d->file, d->line, d->field, d->text);
        }
    }
    assert_true(found);
    assert_int_equal(checked.check.all_differences > 0, file != NULL);
    sp_evidence_check_release(&checked);
}

static void touch(const char *name, const char *text)
{
    struct sp_buf content;
    struct sp_diag diag;
    sp_buf_init(&content, 1024);
    sp_buf_str(&content, text);
    assert_int_equal(sp_sink_write_file(in_dir(name), &content, &diag), SP_OK);
    sp_buf_release(&content);
}

static void whole(void **state)
{
    struct sp_evidence_check checked;
    struct sp_diag diag = {0};
    (void)state;
    finds(NULL, "");
    assert_int_equal(sp_evidence_check(dir, NULL, &checked, &diag), SP_OK);
    assert_int_equal(checked.trust, SP_TRUST_OWN);
    assert_true(checked.packets > 0);
    assert_true(checked.check.judged > 10);
    assert_null(checked.policy); /* the topology's copy is empty, so nothing is held against it */
    char print[SP_FINGERPRINT_STRLEN];
    (void)snprintf(print, sizeof(print), "%s", checked.fingerprint);
    sp_evidence_check_release(&checked);
    assert_int_equal(setenv("XDG_STATE_HOME", "/nonexistent", 1), 0);
    assert_int_equal(sp_evidence_check(dir, NULL, &checked, &diag), SP_OK);
    assert_int_equal(checked.trust, SP_TRUST_FOLDER);
    sp_evidence_check_release(&checked);
    assert_int_equal(sp_evidence_check(dir, print, &checked, &diag), SP_OK);
    assert_int_equal(checked.trust, SP_TRUST_GIVEN);
    sp_evidence_check_release(&checked);
    assert_int_equal(sp_evidence_dir_check(dir, &diag), SP_E_INVALID);
}

static void broken(void **state)
{
    char away[400];
    (void)state;
    touch("notes.txt", "x");
    finds("notes.txt", "not part of this evidence");
    assert_int_equal(unlink(in_dir("notes.txt")), 0);
    touch("topology.yaml", "x");
    finds("topology.yaml", "was changed");
    touch("topology.yaml", "");
    finds(NULL, "");
    (void)snprintf(away, sizeof(away), "%s/away", root);
    static const char *const names[] = {"leak-1.pcapng", SP_MANIFEST_KEY, SP_MANIFEST_SIG,
                                        SP_MANIFEST_NAME, SP_MANIFEST_TOPOLOGY};
    for (size_t i = 0; i < SP_ARRAY_LEN(names); i++) {
        assert_int_equal(rename(in_dir(names[i]), away), 0);
        finds(names[i], "is missing");
        assert_int_equal(symlink(away, in_dir(names[i])), 0);
        finds(names[i], "symbolic link");
        assert_int_equal(unlink(in_dir(names[i])), 0);
        assert_int_equal(mkfifo(in_dir(names[i]), 0600), 0);
        finds(names[i], "no regular file");
        assert_int_equal(rename(away, in_dir(names[i])), 0);
    }
    finds(NULL, "");
    touch(SP_MANIFEST_SIG, "segproof-signature/1\n");
    finds(SP_MANIFEST_SIG, "line 2 is not");
}

static void nothing(void **state)
{
    struct sp_evidence_check checked;
    struct sp_diag diag = {0};
    (void)state;
    static const struct {
        const char *dir, *key, *words;
    } none[] = {
        {"/nonexistent", NULL, "No such file"},          {"/dev", NULL, "holds no evidence"},
        {"/dev/null", NULL, "Not a directory"},          {"/dev", "SHA256:1", "64 hexadecimal"},
        {"/dev", "/nonexistent", "cannot read the key"},
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(none); i++) {
        assert_int_not_equal(sp_evidence_check(none[i].dir, none[i].key, &checked, &diag), SP_OK);
        assert_non_null(strstr(diag.text, none[i].words));
        sp_evidence_check_release(&checked);
    }
}

static void out_of_memory(void **state)
{
    (void)state;
    for (size_t n = 1;; n++) {
        struct sp_evidence_check checked;
        struct sp_diag diag = {0};
        sp_mem_fail_at(n, 0);
        enum sp_rc rc = sp_evidence_check(dir, NULL, &checked, &diag);
        size_t asked = sp_mem_fail_at(0, 0);
        bool is_whole =
            rc == SP_OK && checked.check.all_differences == 0 && checked.trust > SP_TRUST_FOLDER;
        sp_evidence_check_release(&checked);
        if (asked < n) {
            assert_true(is_whole);
            break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whole, make_root, drop_root),
        cmocka_unit_test_setup_teardown(broken, make_root, drop_root),
        cmocka_unit_test_setup_teardown(nothing, make_root, drop_root),
        cmocka_unit_test_setup_teardown(out_of_memory, make_root, drop_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
