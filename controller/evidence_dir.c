/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/evidence_dir.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probe/base/mem.h"
#include "reports/sink.h"
#include "topologies/loader.h"

/* The folder that holds dir: "a/b/" -> "a", "b" -> ".". */
static void parent_of(const char *dir, char out[static PATH_MAX])
{
    size_t n = strlen(dir);
    while (n > 1 && dir[n - 1] == '/') {
        n--;
    }
    while (n > 0 && dir[n - 1] != '/') {
        n--;
    }
    while (n > 1 && dir[n - 1] == '/') {
        n--;
    }
    (void)snprintf(out, PATH_MAX, "%.*s", n ? (int)n : 1, n ? dir : ".");
}

static enum sp_rc refuse(struct sp_diag *diag, const char *where, int error)
{
    return sp_fail(diag, SP_E_SYSTEM, where, "evidence cannot be written there: %s",
                   strerrordesc_np(error));
}

static enum sp_rc check_empty(const char *dir, struct sp_diag *diag)
{
    DIR *open = opendir(dir);
    if (!open) {
        return refuse(diag, dir, errno);
    }
    enum sp_rc rc = SP_OK;
    const struct dirent *entry;
    while (rc == SP_OK && (entry = readdir(open)) != NULL) {
        const char *name = entry->d_name;
        if (sp_evidence_is_name(name) || strcmp(name, SP_MANIFEST_NAME) == 0 ||
            strcmp(name, SP_MANIFEST_SIG) == 0) {
            rc = sp_fail(diag, SP_E_INVALID, dir,
                         "holds the evidence of a run already (%.60s): name a new folder for this "
                         "run, or move that away",
                         name);
        } else if (strcmp(name, SP_MANIFEST_TOPOLOGY) == 0 ||
                   strcmp(name, SP_MANIFEST_TRACE) == 0 || strcmp(name, SP_MANIFEST_KEY) == 0) {
            rc = sp_fail(diag, SP_E_INVALID, dir,
                         "holds a file that the evidence would overwrite (%s): name a new folder "
                         "for this run",
                         name);
        }
    }
    (void)closedir(open);
    return rc;
}

enum sp_rc sp_evidence_dir_check(const char *dir, struct sp_diag *diag)
{
    struct stat st;
    char parent[PATH_MAX];
    if (dir[0] == '\0') {
        return sp_fail(diag, SP_E_INVALID, "", "name a folder for the evidence");
    }
    if (strlen(dir) + SP_EVIDENCE_NAME_MAX + 1 >= PATH_MAX) {
        return sp_fail(diag, SP_E_INVALID, "", "the name of the evidence folder is too long");
    }
    if (stat(dir, &st) == 0) {
        if (!S_ISDIR(st.st_mode)) {
            return sp_fail(diag, SP_E_INVALID, dir,
                           "is a file: evidence goes into a folder, one file per finding");
        }
        return access(dir, W_OK | X_OK) == 0 ? check_empty(dir, diag) : refuse(diag, dir, errno);
    }
    if (errno != ENOENT) {
        return refuse(diag, dir, errno);
    }
    parent_of(dir, parent);
    if (stat(parent, &st) != 0) {
        int error = errno;
        return error == ENOENT ? sp_fail(diag, SP_E_NOTFOUND, parent,
                                         "there is no such folder to make the evidence folder in: "
                                         "make it first")
                               : refuse(diag, parent, error);
    }
    return access(parent, W_OK | X_OK) == 0 ? SP_OK : refuse(diag, parent, errno);
}

enum sp_rc sp_evidence_dir_make(const char *dir, struct sp_diag *diag)
{
    return mkdir(dir, 0777) == 0 || errno == EEXIST ? SP_OK : refuse(diag, dir, errno);
}

static enum sp_rc write_file(const char *dir, const char *name, const struct sp_buf *content,
                             struct sp_diag *diag)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    return sp_sink_write_file(path, content, diag);
}

enum sp_rc sp_evidence_dir_add(const char *dir, const char *name, const struct sp_buf *content,
                               struct sp_manifest_files *files, struct sp_diag *diag)
{
    enum sp_rc rc = write_file(dir, name, content, diag);
    return rc == SP_OK ? sp_manifest_files_add(files, name, content, 0) : rc;
}

static enum sp_rc write_one(const char *dir, const struct sp_summary *summary,
                            const struct sp_finding *finding, struct sp_manifest_files *files,
                            struct sp_diag *diag)
{
    struct sp_buf out;
    struct sp_packets packets = {0};
    sp_buf_init(&out, SP_EVIDENCE_FILE_MAX_BYTES);
    enum sp_rc rc = sp_evidence_render(summary, finding, &out);
    if (rc == SP_OK && files) {
        rc = sp_packets_read((const uint8_t *)out.data, out.len, NULL, NULL, NULL, 0, &packets,
                             NULL);
    }
    if (rc != SP_OK) {
        rc = sp_fail(diag, rc, finding->evidence, "%s", sp_rc_str(rc));
    } else {
        rc = write_file(dir, finding->evidence, &out, diag);
    }
    if (rc == SP_OK && files) {
        rc = sp_manifest_files_add(files, finding->evidence, &out, packets.total);
    }
    sp_buf_release(&out);
    return rc;
}

enum sp_rc sp_evidence_dir_write(const char *dir, struct sp_summary *summary,
                                 struct sp_manifest_files *files, struct sp_diag *diag)
{
    enum sp_rc rc = SP_OK;
    for (size_t i = 0; i < summary->nfindings; i++) {
        struct sp_finding *finding = &summary->findings[i];
        if (!finding->evidence) {
            continue;
        }
        rc = rc == SP_OK ? write_one(dir, summary, finding, files, diag) : rc;
        if (rc != SP_OK) { /* a report must not name a file that is not there */
            sp_free(finding->evidence);
            finding->evidence = NULL;
            finding->no_evidence = "none: the evidence could not be written";
        }
    }
    return rc;
}

/* ---- what makes it hard to change ---- */

static enum sp_rc write_topology(const char *dir, const struct sp_model *model,
                                 struct sp_manifest_files *files, struct sp_diag *diag)
{
    struct sp_buf source;
    sp_buf_init(&source, SP_TOPOLOGY_MAX_BYTES + 1);
    enum sp_rc rc = sp_topology_source(model, &source);
    if (rc != SP_OK) {
        rc = sp_fail(diag, rc, SP_MANIFEST_TOPOLOGY, "the topology cannot be copied: %s",
                     sp_rc_str(rc));
    } else {
        rc = write_file(dir, SP_MANIFEST_TOPOLOGY, &source, diag);
    }
    if (rc == SP_OK) {
        rc = sp_manifest_files_add(files, SP_MANIFEST_TOPOLOGY, &source, 0);
    }
    sp_buf_release(&source);
    return rc;
}

static enum sp_rc write_signed(const char *dir, const struct sp_buf *manifest, struct sp_seal *seal,
                               const struct sp_key *key, struct sp_diag *diag)
{
    struct sp_buf pem;
    struct sp_buf text;
    sp_buf_init(&pem, SP_KEY_MAX_BYTES);
    sp_buf_init(&text, SP_SEAL_MAX_BYTES);
    enum sp_rc rc = sp_seal_sign(seal, key, &text);
    rc = rc == SP_OK ? sp_key_write(key, false, &pem) : rc;
    if (rc != SP_OK) {
        rc = sp_fail(diag, rc, SP_MANIFEST_SIG, "the manifest cannot be signed: %s", sp_rc_str(rc));
    } else {
        rc = write_file(dir, SP_MANIFEST_NAME, manifest, diag);
    }
    rc = rc == SP_OK ? write_file(dir, SP_MANIFEST_KEY, &pem, diag) : rc;
    rc = rc == SP_OK ? write_file(dir, SP_MANIFEST_SIG, &text, diag) : rc;
    sp_buf_release(&text);
    sp_buf_release(&pem);
    return rc;
}

enum sp_rc sp_evidence_dir_seal(const char *dir, const struct sp_summary *summary,
                                const struct sp_manifest_how *how, const struct sp_key *key,
                                struct sp_manifest_files *files, struct sp_diag *diag)
{
    struct sp_buf manifest;
    struct sp_seal seal;
    enum sp_rc rc = write_topology(dir, summary->result->model, files, diag);
    if (rc != SP_OK) {
        return rc;
    }
    sp_buf_init(&manifest, SP_MANIFEST_MAX_BYTES);
    rc = sp_manifest_write(summary, how, files, &manifest, &seal);
    if (rc != SP_OK) {
        rc = sp_fail(diag, rc, SP_MANIFEST_NAME, "the manifest cannot be written: %s",
                     rc == SP_E_LIMIT ? "it would be too large: test less in one run (--from, --to)"
                                      : sp_rc_str(rc));
    } else {
        rc = write_signed(dir, &manifest, &seal, key, diag);
    }
    sp_buf_release(&manifest);
    return rc;
}
