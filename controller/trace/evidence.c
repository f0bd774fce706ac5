/* SPDX-License-Identifier: Apache-2.0
 *
 * The evidence of a trace: what a verification writes (packets of findings, the topology's copy,
 * the signed manifest), and the trace itself as JSON, which the manifest lists with its hash. */
#include <stdio.h>

#include "controller/evidence_dir.h"
#include "controller/trace/session.h"
#include "probe/base/mem.h"

enum sp_rc sp_trace_session_json(const struct sp_trace_session *session,
                                 const struct sp_result *result, struct sp_buf *out)
{
    const struct sp_trace **traces = sp_calloc(session->n > 0 ? session->n : 1, sizeof(*traces));
    const struct sp_trace_head head = {.model = result->model,
                                       .run_id = result->run_id,
                                       .version = SP_VERSION,
                                       .interrupted = result->interrupted};
    if (!traces) {
        return SP_E_NOMEM;
    }
    for (size_t i = 0; i < session->n; i++) {
        traces[i] = &session->traced[i].trace;
    }
    sp_trace_json(&head, traces, session->n, out);
    sp_free(traces);
    return out->rc;
}

static enum sp_rc write_trace(const char *dir, const struct sp_trace_session *session,
                              const struct sp_result *result, struct sp_manifest_files *files,
                              struct sp_diag *diag)
{
    struct sp_buf json;
    sp_buf_init(&json, SP_TRACE_MAX_BYTES);
    enum sp_rc rc = sp_trace_session_json(session, result, &json);
    rc = rc == SP_OK ? sp_evidence_dir_add(dir, SP_MANIFEST_TRACE, &json, files, diag)
                     : sp_fail(diag, rc, SP_MANIFEST_TRACE, "%s", sp_rc_str(rc));
    sp_buf_release(&json);
    return rc;
}

enum sp_rc sp_trace_evidence(const char *dir, const struct sp_trace_session *session,
                             const struct sp_result *result, const struct sp_key *key,
                             char ret_fingerprint[static SP_FINGERPRINT_STRLEN],
                             struct sp_diag *diag)
{
    struct sp_summary *summary = NULL;
    struct sp_manifest_files files = {0};
    const struct sp_manifest_how how = {.from = sp_model_target_name(result->model, session->from),
                                        .to = sp_model_target_name(result->model, session->to),
                                        .inject = "raw",
                                        .fingerprint = ret_fingerprint};
    enum sp_rc rc = sp_key_fingerprint(key, ret_fingerprint);
    rc = rc == SP_OK ? sp_summary_new(result, &summary) : rc;
    if (rc != SP_OK) {
        return sp_fail(diag, rc, dir, "%s", sp_rc_str(rc));
    }
    rc = sp_evidence_dir_write(dir, summary, &files, diag);
    if (rc == SP_OK) {
        rc = write_trace(dir, session, result, &files, diag);
    }
    if (rc == SP_OK) {
        rc = sp_evidence_dir_seal(dir, summary, &how, key, &files, diag);
    }
    sp_manifest_files_release(&files);
    sp_summary_free(summary);
    return rc;
}
