/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/evidence_check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/sign_key.h"
#include "probe/base/mem.h"
#include "topologies/loader.h"

struct folder {
    struct sp_evidence_check *out;
    const char *dir;
    int fd;
    struct sp_key *given;    /* by --key FILE; owned */
    const char *given_print; /* by --key SHA256:..., borrowed */
};

/* ---- files ---- */

/* A regular file of the folder, whole. NULL, or in words why there is none. */
static const char *slurp(const struct folder *folder, const char *name, size_t max,
                         struct sp_buf *out)
{
    static const size_t step = 1U << 16;
    struct stat st;
    ssize_t n = 1;
    sp_buf_init(out, max);
    int fd = openat(folder->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return errno == ENOENT  ? "is missing"
               : errno == ELOOP ? "is a symbolic link, not a file"
                                : strerrordesc_np(errno);
    }
    const char *wrong = fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ? "is no regular file" : NULL;
    char *chunk = sp_calloc(step, 1);
    out->rc = chunk ? SP_OK : SP_E_NOMEM;
    while (!wrong && out->rc == SP_OK && n != 0) {
        n = read(fd, chunk, step);
        if (n > 0) {
            sp_buf_add(out, chunk, (size_t)n);
        } else if (n < 0 && errno != EINTR) {
            wrong = strerrordesc_np(errno);
        }
    }
    wrong = out->rc == SP_E_LIMIT ? "is larger than any that is written" : wrong;
    sp_free(chunk);
    (void)close(fd);
    return wrong;
}

/* The same; what is wrong is a difference, and false. */
static bool read_file(const struct folder *folder, const char *name, size_t max, struct sp_buf *out)
{
    struct sp_check *check = &folder->out->check;
    const char *wrong = slurp(folder, name, max, out);
    if (wrong) {
        sp_check_differ(check, name, 0, "", "%s", wrong);
    }
    check->rc = out->rc == SP_E_NOMEM ? SP_E_NOMEM : check->rc;
    return !wrong && out->rc == SP_OK;
}

static bool is_known(const struct sp_check *check, const char *name)
{
    bool known = strcmp(name, SP_MANIFEST_NAME) == 0 || strcmp(name, SP_MANIFEST_SIG) == 0 ||
                 strcmp(name, SP_MANIFEST_KEY) == 0;
    for (size_t i = 0; i < check->nfiles && !known; i++) {
        known = strcmp(check->files[i].file.name, name) == 0;
    }
    return known;
}

/* Nothing but the evidence may lie in its folder: who reads it must not take something else for a
 * part of it. */
static void check_extra(struct folder *folder)
{
    struct sp_check *check = &folder->out->check;
    DIR *dir = opendir(folder->dir);
    const struct dirent *entry;
    while (dir && (entry = readdir(dir)) != NULL) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !is_known(check, name)) {
            sp_check_differ(check, name, 0, "", "is not part of this evidence");
        }
    }
    if (dir) {
        (void)closedir(dir);
    }
}

static void check_packets(struct folder *folder, const struct sp_check_file *file,
                          const struct sp_buf *content)
{
    struct sp_check *check = &folder->out->check;
    struct sp_packets packets;
    struct sp_diag diag;
    for (size_t k = 0; k < check->nfindings; k++) {
        const struct sp_check_finding *finding = &check->findings[k];
        size_t n = 0;
        if (strcmp(finding->evidence, file->file.name) != 0) {
            continue;
        }
        const struct sp_proof_flow *flows = sp_check_flows(check, k, &n);
        if (sp_packets_read((const uint8_t *)sp_buf_text(content), content->len, check->run.run_id,
                            finding->id, flows, n, &packets, &diag) != SP_OK) {
            sp_check_differ(check, file->file.name, 0, "", "%s", diag.text);
            return;
        }
        folder->out->packets += packets.total;
        if (packets.total != file->file.packets) {
            sp_check_differ(check, file->file.name, 0, "",
                            "holds %llu packets, and line %zu of the manifest says %llu",
                            (unsigned long long)packets.total, file->line,
                            (unsigned long long)file->file.packets);
        }
        if (packets.plain > 0 && packets.matching == 0) {
            sp_check_differ(check, file->file.name, 0, "",
                            "no packet is from or to an address of its finding (line %zu of the "
                            "manifest)",
                            finding->line);
        }
        return;
    }
}

static void check_file(struct folder *folder, const struct sp_check_file *file)
{
    struct sp_check *check = &folder->out->check;
    bool is_topology = strcmp(file->file.name, SP_MANIFEST_TOPOLOGY) == 0;
    char sha256[SP_SHA256_STRLEN];
    struct sp_buf content;
    size_t max = is_topology ? SP_TOPOLOGY_MAX_BYTES : SP_EVIDENCE_FILE_MAX_BYTES;
    bool good = read_file(folder, file->file.name, max, &content);
    if (good && sp_sha256(sp_buf_text(&content), content.len, sha256) != SP_OK) {
        check->rc = SP_E_NOMEM;
    } else if (good &&
               (content.len != file->file.bytes || strcmp(sha256, file->file.sha256) != 0)) {
        sp_check_differ(check, file->file.name, 0, "",
                        "was changed: its SHA-256 or size is not that of line %zu of the manifest",
                        file->line);
    } else if (good && sp_evidence_is_name(file->file.name)) {
        check_packets(folder, file, &content);
    }
    if (is_topology && strcmp(check->run.sha256, file->file.sha256) != 0) {
        sp_check_differ(check, SP_MANIFEST_NAME, file->line, "sha256",
                        "is not the topology_sha256 of line 1");
    }
    sp_buf_release(&content);
}

/* ---- keys and signature ---- */

static enum sp_rc open_key(struct folder *folder, const char *key, struct sp_diag *diag)
{
    if (!key) {
        return SP_OK;
    }
    if (strncmp(key, SP_FINGERPRINT_PREFIX, strlen(SP_FINGERPRINT_PREFIX)) != 0) {
        return sp_sign_key_public(key, &folder->given, diag);
    }
    if (!sp_is_fingerprint(key)) {
        return sp_fail(diag, SP_E_INVALID, "",
                       "a fingerprint is " SP_FINGERPRINT_PREFIX
                       " and 64 hexadecimal digits in lower case");
    }
    folder->given_print = key;
    return SP_OK;
}

/* The key that came with the evidence, or NULL. */
static struct sp_key *read_folder_key(struct folder *folder)
{
    struct sp_check *check = &folder->out->check;
    struct sp_buf pem;
    struct sp_buf again;
    struct sp_diag diag;
    struct sp_key *key = NULL;
    bool good = read_file(folder, SP_MANIFEST_KEY, SP_KEY_MAX_BYTES, &pem);
    sp_buf_init(&again, SP_KEY_MAX_BYTES);
    if (good &&
        sp_key_read(sp_buf_text(&pem), pem.len, false, SP_MANIFEST_KEY, &key, &diag) != SP_OK) {
        sp_check_differ(check, SP_MANIFEST_KEY, 0, "", "was changed: %s", diag.text);
    } else if (key && (sp_key_write(key, false, &again) != SP_OK || again.len != pem.len ||
                       memcmp(again.data, pem.data, pem.len) != 0)) {
        sp_check_differ(check, SP_MANIFEST_KEY, 0, "",
                        "was changed: a key is never written like this");
    }
    sp_buf_release(&again);
    sp_buf_release(&pem);
    return key;
}

static void check_signature(struct folder *folder, const struct sp_seal *seal)
{
    struct sp_check *check = &folder->out->check;
    char print[SP_FINGERPRINT_STRLEN] = "";
    char own[SP_FINGERPRINT_STRLEN];
    struct sp_key *brought = read_folder_key(folder);
    const struct sp_key *key = folder->given ? folder->given : brought;
    const char *wanted = folder->given_print;
    if (folder->given && sp_key_fingerprint(folder->given, print) == SP_OK) {
        wanted = print;
    }
    if (wanted && strcmp(wanted, seal->fingerprint) != 0) {
        sp_check_differ(check, SP_MANIFEST_SIG, 3, "key",
                        "it was signed by %s, not by the key given", seal->fingerprint);
    }
    if (brought && sp_key_fingerprint(brought, print) == SP_OK &&
        strcmp(print, seal->fingerprint) != 0) {
        sp_check_differ(check, SP_MANIFEST_KEY, 0, "", "is not the key that signed: it is %s",
                        print);
    }
    enum sp_rc rc = key ? sp_seal_verify(seal, key) : SP_E_NOTFOUND;
    if (rc == SP_OK) {
        (void)snprintf(folder->out->fingerprint, sizeof(folder->out->fingerprint), "%s",
                       seal->fingerprint);
        folder->out->trust = wanted ? SP_TRUST_GIVEN
                             : sp_sign_key_own(own) && strcmp(own, seal->fingerprint) == 0
                                 ? SP_TRUST_OWN
                                 : SP_TRUST_FOLDER;
    } else if (rc == SP_E_NOMEM) {
        check->rc = rc;
    } else if (rc == SP_E_DENIED) {
        sp_check_differ(check, SP_MANIFEST_SIG, 0, "",
                        "the signature does not fit the key and what it signs");
    }
    sp_key_free(brought);
}

static void check_seal(struct folder *folder)
{
    struct sp_check *check = &folder->out->check;
    struct sp_seal seal;
    struct sp_diag diag;
    struct sp_buf text;
    if (read_file(folder, SP_MANIFEST_SIG, SP_SEAL_MAX_BYTES, &text)) {
        if (sp_seal_parse(sp_buf_text(&text), text.len, &seal, &diag) == SP_OK) {
            check_signature(folder, &seal);
            sp_check_seal(check, &seal);
        } else {
            sp_check_differ(check, SP_MANIFEST_SIG, 0, "", "was changed: %s", diag.text);
        }
    }
    sp_buf_release(&text);
}

/* ---- the whole ---- */

/* The topology's copy, where it is the one that the manifest speaks of. What is wrong with it is
 * told when its file is checked. */
static enum sp_rc load_topology(struct folder *folder, const struct sp_buf *manifest)
{
    struct sp_evidence_check *out = folder->out;
    struct sp_problems problems = {0};
    struct sp_check_run run;
    struct sp_buf text;
    enum sp_rc rc = sp_check_peek(sp_buf_text(manifest), manifest->len, &run);
    if (rc != SP_OK) {
        return rc == SP_E_NOMEM ? rc : SP_OK;
    }
    const char *wrong = slurp(folder, SP_MANIFEST_TOPOLOGY, SP_TOPOLOGY_MAX_BYTES, &text);
    if (!wrong && text.rc == SP_OK) {
        rc = sp_topology_load_text(SP_MANIFEST_TOPOLOGY, sp_buf_text(&text), text.len, &out->model,
                                   &problems);
    }
    if (rc == SP_OK && out->model && strcmp(out->model->sha256, run.sha256) != 0) {
        sp_model_free(out->model);
        out->model = NULL;
    }
    if (rc == SP_OK && out->model) {
        rc = sp_policy_new(out->model, &out->policy);
    }
    sp_problems_release(&problems);
    sp_buf_release(&text);
    return rc == SP_E_NOMEM ? rc : SP_OK;
}

static enum sp_rc check_all(struct folder *folder, struct sp_diag *diag)
{
    struct sp_evidence_check *out = folder->out;
    struct sp_buf manifest;
    bool has_sig = faccessat(folder->fd, SP_MANIFEST_SIG, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    if (!has_sig && faccessat(folder->fd, SP_MANIFEST_NAME, F_OK, AT_SYMLINK_NOFOLLOW) != 0) {
        return sp_fail(diag, SP_E_NOTFOUND, folder->dir,
                       "holds no evidence with a manifest (" SP_MANIFEST_NAME ", " SP_MANIFEST_SIG
                       ")");
    }
    enum sp_rc rc = sp_check_init(&out->check, NULL, NULL);
    if (rc != SP_OK) {
        return rc;
    }
    if (read_file(folder, SP_MANIFEST_NAME, SP_MANIFEST_MAX_BYTES, &manifest)) {
        rc = load_topology(folder, &manifest);
        if (rc == SP_OK) {
            rc = sp_check_init(&out->check, out->model, out->policy);
        }
        if (rc == SP_OK) {
            rc = sp_check_manifest(&out->check, sp_buf_text(&manifest), manifest.len);
        }
        if (rc == SP_OK) {
            check_seal(folder);
        }
        for (size_t i = 0; rc == SP_OK && i < out->check.nfiles; i++) {
            check_file(folder, &out->check.files[i]);
        }
        if (rc == SP_OK) {
            check_extra(folder);
        }
    }
    sp_buf_release(&manifest);
    return rc == SP_OK ? out->check.rc : rc;
}

enum sp_rc sp_evidence_check(const char *dir, const char *key, struct sp_evidence_check *ret_check,
                             struct sp_diag *diag)
{
    struct folder folder = {.out = ret_check, .dir = dir};
    *ret_check = (struct sp_evidence_check){0};
    enum sp_rc rc = open_key(&folder, key, diag);
    if (rc != SP_OK) {
        return rc;
    }
    folder.fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder.fd < 0) {
        rc = sp_fail_errno(diag, dir, "cannot be read");
    } else {
        rc = check_all(&folder, diag);
        (void)close(folder.fd);
    }
    sp_key_free(folder.given);
    return rc == SP_E_NOMEM ? sp_fail(diag, rc, dir, "out of memory") : rc;
}

void sp_evidence_check_release(struct sp_evidence_check *check)
{
    sp_check_release(&check->check);
    sp_policy_free(check->policy);
    sp_model_free(check->model);
    *check = (struct sp_evidence_check){0};
}
