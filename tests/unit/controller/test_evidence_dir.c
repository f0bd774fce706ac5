/* SPDX-License-Identifier: Apache-2.0
 *
 * The folder of the evidence: what is refused before a run, what is written after it, and that a
 * report never names a file that is not there. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/evidence_dir.h"
#include "tests/support/sample_result.h"
#include "tests/support/sp_cmocka.h"

static char root[64];

static int make_root(void **state)
{
    (void)state;
    (void)snprintf(root, sizeof(root), "/tmp/sp-evidence-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static void remove_all(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    while (dir && (entry = readdir(dir)) != NULL) {
        char inside[600];
        (void)snprintf(inside, sizeof(inside), "%s/%s", path, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            unlink(inside) != 0) {
            remove_all(inside);
        }
    }
    if (dir) {
        (void)closedir(dir);
    }
    (void)rmdir(path);
}

static int drop_root(void **state)
{
    (void)state;
    remove_all(root);
    return 0;
}

static const char *in_root(const char *name)
{
    static char path[300];
    (void)snprintf(path, sizeof(path), "%s/%s", root, name);
    return path;
}

static void touch(const char *name)
{
    FILE *f = fopen(in_root(name), "we");
    assert_non_null(f);
    (void)fclose(f);
}

static void checks(const char *dir, enum sp_rc want, const char *words)
{
    struct sp_diag diag = {0};
    assert_int_equal(sp_evidence_dir_check(dir, &diag), want);
    assert_non_null(strstr(diag.text, words));
}

static void check(void **state)
{
    char longest[5000];
    (void)state;
    checks(root, SP_OK, "");
    checks(in_root("new"), SP_OK, "");
    checks(in_root("new///"), SP_OK, "");
    checks("new-in-the-working-folder", SP_OK, "");
    checks(in_root("no/where"), SP_E_NOTFOUND, "make it first");
    checks("", SP_E_INVALID, "name a folder");
    memset(longest, 'x', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    checks(longest, SP_E_INVALID, "too long");
    touch("file");
    checks(in_root("file"), SP_E_INVALID, "is a file");
    checks(in_root("file/x"), SP_E_SYSTEM, "Not a directory");
    touch("notes.txt");
    touch("mine.pcapng");
    checks(root, SP_OK, "");
    touch("blocked-3.pcapng");
    checks(root, SP_E_INVALID, "blocked-3.pcapng");
    assert_int_equal(unlink(in_root("blocked-3.pcapng")), 0);
    touch("manifest.sig");
    checks(root, SP_E_INVALID, "manifest.sig");
    assert_int_equal(unlink(in_root("manifest.sig")), 0);
    touch("topology.yaml"); /* somebody's own */
    checks(root, SP_E_INVALID, "would overwrite (topology.yaml)");
    assert_int_equal(unlink(in_root("topology.yaml")), 0);
    checks(root, SP_OK, "");
    struct stat st;
    assert_int_not_equal(stat(in_root("new"), &st), 0); /* looking makes nothing */
}

static struct sp_sample *leaky(struct sp_summary **ret_summary)
{
    struct sp_sample *sample = sp_sample_shop();
    struct sp_result *result = sample->result;
    const uint8_t bytes[20] = {0x45};
    assert_int_equal(sp_evidence_new(result->plan->ntests, &result->evidence), SP_OK);
    for (uint32_t t = 0; t < result->plan->ntests; t++) {
        const struct sp_evidence_packet p = {.test = t, .len = 20, .wire_len = 20, .iface = "e"};
        sp_evidence_add(result->evidence, &p, bytes);
    }
    assert_int_equal(sp_summary_new(result, ret_summary), SP_OK);
    return sample;
}

static size_t count_files(const char *dir)
{
    size_t n = 0;
    DIR *open = opendir(dir);
    const struct dirent *entry;
    assert_non_null(open);
    while ((entry = readdir(open)) != NULL) {
        n += entry->d_name[0] != '.';
    }
    (void)closedir(open);
    return n;
}

static void writes(void **state)
{
    struct sp_summary *summary = NULL;
    struct sp_sample *sample = leaky(&summary);
    struct sp_diag diag = {0};
    char dir[300];
    (void)state;
    (void)snprintf(dir, sizeof(dir), "%s", in_root("run"));
    assert_int_equal(sp_evidence_dir_make(dir, &diag), SP_OK);
    assert_int_equal(sp_evidence_dir_make(dir, &diag), SP_OK); /* it may be there */
    assert_int_equal(sp_evidence_dir_write(dir, summary, NULL, &diag), SP_OK);
    assert_true(summary->nfindings > 0);
    assert_int_equal(count_files(dir), summary->nfindings);
    checks(dir, SP_E_INVALID, "holds the evidence of a run already");
    sp_summary_free(summary);
    sp_sample_free(sample);
}

static void names_what_is_there(void **state)
{
    struct sp_summary *summary = NULL;
    struct sp_sample *sample = leaky(&summary);
    struct sp_diag diag = {0};
    (void)state;
    /* The second file cannot be written: a folder stands in its place. */
    char dir[300];
    (void)snprintf(dir, sizeof(dir), "%s", in_root("part"));
    assert_int_equal(sp_evidence_dir_make(dir, &diag), SP_OK);
    char second[600];
    assert_true(summary->nfindings > 2);
    (void)snprintf(second, sizeof(second), "%s/%s", dir, summary->findings[1].evidence);
    assert_int_equal(mkdir(second, 0700), 0);
    assert_int_equal(sp_evidence_dir_write(dir, summary, NULL, &diag), SP_E_SYSTEM);
    assert_non_null(strstr(diag.text, "cannot write"));
    assert_non_null(summary->findings[0].evidence);
    for (size_t i = 1; i < summary->nfindings; i++) {
        assert_null(summary->findings[i].evidence);
        assert_non_null(summary->findings[i].no_evidence);
    }
    assert_int_equal(count_files(dir), 2);
    assert_int_equal(sp_evidence_dir_make(in_root("no/where"), &diag), SP_E_SYSTEM);
    sp_summary_free(summary);
    sp_sample_free(sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(check, make_root, drop_root),
        cmocka_unit_test_setup_teardown(writes, make_root, drop_root),
        cmocka_unit_test_setup_teardown(names_what_is_there, make_root, drop_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
