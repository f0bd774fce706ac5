/* SPDX-License-Identifier: Apache-2.0
 *
 * The folder of the evidence: files of packets, a copy of the topology, the manifest that lists
 * them, its signature and the public key. One folder holds the evidence of one run: a folder that
 * already has evidence in it is refused, so that nothing is overwritten and two runs are never
 * mixed. Other files in it are left alone. */
#ifndef SP_CONTROLLER_EVIDENCE_DIR_H
#define SP_CONTROLLER_EVIDENCE_DIR_H

#include "probe/base/rc.h"
#include "reports/manifest.h"

/* Before a run: may evidence go there? Nothing is made yet. */
enum sp_rc sp_evidence_dir_check(const char *dir, struct sp_diag *diag) SP_MUST_CHECK;
/* Makes the folder when it is missing. */
enum sp_rc sp_evidence_dir_make(const char *dir, struct sp_diag *diag) SP_MUST_CHECK;
/* Writes a file for every finding that has packets, each whole or not at all, and takes them down
 * in files (which may be NULL). When one cannot be written, the findings whose files are missing no
 * longer name them. */
enum sp_rc sp_evidence_dir_write(const char *dir, struct sp_summary *summary,
                                 struct sp_manifest_files *files,
                                 struct sp_diag *diag) SP_MUST_CHECK;
/* Another file, which the manifest is to list; its name must be one that it may. */
enum sp_rc sp_evidence_dir_add(const char *dir, const char *name, const struct sp_buf *content,
                               struct sp_manifest_files *files, struct sp_diag *diag) SP_MUST_CHECK;
/* After that: the topology's copy, the manifest, the key, and last the signature, without which the
 * folder counts for nothing. */
enum sp_rc sp_evidence_dir_seal(const char *dir, const struct sp_summary *summary,
                                const struct sp_manifest_how *how, const struct sp_key *key,
                                struct sp_manifest_files *files,
                                struct sp_diag *diag) SP_MUST_CHECK;

#endif
