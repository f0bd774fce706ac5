/* SPDX-License-Identifier: Apache-2.0 */
#include "topologies/loader.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probe/base/buf.h"
#include "probe/base/mem.h"
#include "probe/base/str.h"
#include "topologies/build.h"
#include "topologies/check.h"
#include "topologies/field.h"
#include "topologies/problem.h"

/* One block of text, its line breaks made NULs, and where each line begins in it. */
static enum sp_rc keep_lines(struct sp_model *model, const char *text, size_t len)
{
    size_t n = 1;
    for (size_t i = 0; i < len; i++) {
        n += text[i] == '\n';
    }
    char *copy = sp_calloc(len + 1, 1);
    model->lines = sp_calloc(n, sizeof(*model->lines));
    if (!copy || !model->lines) {
        sp_free(copy);
        return SP_E_NOMEM;
    }
    memcpy(copy, text, len);
    model->lines[model->nlines++] = copy;
    for (size_t i = 0; i < len; i++) {
        if (copy[i] == '\n') {
            copy[i] = '\0';
            if (i > 0 && copy[i - 1] == '\r') {
                copy[i - 1] = '\0';
            }
            model->lines[model->nlines++] = copy + i + 1;
        }
    }
    return SP_OK;
}

static enum sp_rc digest(const char *text, size_t len, char out[static 65])
{
    unsigned char md[32];
    unsigned int n = 0;
    if (EVP_Digest(text, len, md, &n, EVP_sha256(), NULL) != 1 || n != sizeof(md)) {
        return SP_E_NOMEM;
    }
    sp_hex(md, sizeof(md), out);
    return SP_OK;
}

enum sp_rc sp_topology_source(const struct sp_model *model, struct sp_buf *out)
{
    char sha256[65];
    for (size_t i = 0; i < model->nlines; i++) {
        const char *line = model->lines[i];
        size_t len = strlen(line);
        sp_buf_add(out, line, len);
        if (i + 1 < model->nlines) {
            bool is_crlf = model->lines[i + 1] - line == (ptrdiff_t)len + 2;
            sp_buf_str(out, is_crlf ? "\r\n" : "\n");
        }
    }
    enum sp_rc rc = out->rc;
    rc = rc == SP_OK ? digest(sp_buf_text(out), out->len, sha256) : rc;
    return rc == SP_OK && strcmp(sha256, model->sha256) != 0 ? SP_E_INVALID : rc;
}

static enum sp_rc new_model(const char *file, const char *text, size_t len,
                            struct sp_model **ret_model)
{
    struct sp_model *model = sp_calloc(1, sizeof(*model));
    if (!model) {
        return SP_E_NOMEM;
    }
    model->file = sp_strdup(file);
    enum sp_rc rc = model->file ? keep_lines(model, text, len) : SP_E_NOMEM;
    if (rc == SP_OK) {
        rc = digest(text, len, model->sha256);
    }
    if (rc != SP_OK) {
        sp_model_free(model);
        return rc;
    }
    *ret_model = model;
    return SP_OK;
}

/* Tree to model; the model is there even when problems hold errors. */
static enum sp_rc convert(struct sp_node *root, struct sp_model *model,
                          struct sp_problems *problems)
{
    struct sp_build build = {.model = model, .problems = problems, .root = root};
    sp_validate(&sp_topology_shape, root, problems);
    if (root->kind != SP_NODE_MAPPING) {
        return SP_OK; /* reported */
    }
    const struct sp_node *name = sp_node_get(root, "name");
    model->name = name ? sp_build_text(&build, name) : sp_strdup("");
    build.rc = model->name ? SP_OK : SP_E_NOMEM;
    if (build.rc == SP_OK && sp_build_model(&build) == SP_OK) {
        sp_check(model, problems);
    }
    sp_build_release(&build);
    return build.rc;
}

static void too_large(struct sp_problems *problems)
{
    sp_problem_add(problems, true, (struct sp_pos){0}, "",
                   "the file is larger than %u MiB, which no topology needs: is it the right file?",
                   SP_TOPOLOGY_MAX_BYTES >> 20);
}

enum sp_rc sp_topology_load_text(const char *file, const char *text, size_t len,
                                 struct sp_model **ret_model, struct sp_problems *problems)
{
    struct sp_model *model = NULL;
    struct sp_doc doc = {0};
    if (len > SP_TOPOLOGY_MAX_BYTES) {
        too_large(problems);
        return problems->rc != SP_OK ? problems->rc : SP_E_INVALID;
    }
    enum sp_rc rc = sp_doc_parse(text, len, &doc, problems);
    if (rc == SP_OK && !doc.root) {
        sp_problem_add(problems, true, (struct sp_pos){0}, "",
                       "the file is empty: a topology begins with `segproof: 1`");
    } else if (rc == SP_OK) {
        rc = new_model(file, text, len, &model);
        rc = rc == SP_OK ? convert(doc.root, model, problems) : rc;
    }
    sp_doc_release(&doc);
    sp_problems_sort(problems);
    if (rc == SP_OK) {
        rc = problems->rc != SP_OK ? problems->rc : problems->nerrors ? SP_E_INVALID : SP_OK;
    }
    if (rc != SP_OK) {
        sp_model_free(model);
        return rc;
    }
    *ret_model = model;
    return SP_OK;
}

static enum sp_rc read_all(int fd, const char *file, struct sp_buf *out, struct sp_diag *diag)
{
    char chunk[64 << 10];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return sp_fail_errno(diag, file, "cannot read the topology");
        }
        if (n == 0) {
            return out->rc;
        }
        sp_buf_add(out, chunk, (size_t)n);
        if (out->rc != SP_OK) {
            return out->rc;
        }
    }
}

enum sp_rc sp_topology_read(const char *file, struct sp_buf *out, struct sp_problems *problems,
                            struct sp_diag *diag)
{
    bool is_stdin = strcmp(file, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return sp_fail_errno(diag, file, "cannot open the topology");
    }
    struct stat st;
    enum sp_rc rc = SP_OK;
    sp_buf_init(out, SP_TOPOLOGY_MAX_BYTES);
    if (fstat(fd, &st) != 0) {
        rc = sp_fail_errno(diag, file, "cannot read the topology");
    } else if (S_ISREG(st.st_mode) && st.st_size > (off_t)SP_TOPOLOGY_MAX_BYTES) {
        rc = SP_E_LIMIT;
    } else {
        rc = read_all(fd, file, out, diag);
    }
    if (!is_stdin) {
        (void)close(fd); /* only read: nothing can be lost */
    }
    if (rc == SP_E_LIMIT) {
        too_large(problems);
        rc = problems->rc != SP_OK ? problems->rc : SP_E_INVALID;
    }
    if (rc != SP_OK) {
        sp_buf_release(out);
    }
    return rc;
}

enum sp_rc sp_topology_load_file(const char *file, struct sp_model **ret_model,
                                 struct sp_problems *problems, struct sp_diag *diag)
{
    struct sp_buf text;
    enum sp_rc rc = sp_topology_read(file, &text, problems, diag);
    if (rc != SP_OK) {
        return rc;
    }
    rc = sp_topology_load_text(file, sp_buf_text(&text), text.len, ret_model, problems);
    sp_buf_release(&text);
    return rc;
}
