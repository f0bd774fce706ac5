/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads a topology (YAML 1.2 core through libyaml events, or JSON) into a model, reporting every
 * problem at once with line and column, then lints its meaning (check.h). The format is chosen by
 * content: a document whose first byte that is not white space is '{' or '[' is JSON. Limits: 64
 * MiB, depth 32, no anchors, aliases, tags or merge keys. */
#ifndef SP_TOPOLOGIES_LOADER_H
#define SP_TOPOLOGIES_LOADER_H

#include "topologies/model.h"

#define SP_TOPOLOGY_MAX_BYTES (64U << 20)
#define SP_TOPOLOGY_MAX_DEPTH 32U

/* file names the text in messages. On SP_OK *ret_model is the caller's; problems may still hold
 * warnings. On SP_E_INVALID problems->nerrors > 0 and there is no model. Loading runs the lints of
 * check.h too. */
enum sp_rc sp_topology_load_text(const char *file, const char *text, size_t len,
                                 struct sp_model **ret_model,
                                 struct sp_problems *problems) SP_MUST_CHECK;
/* Reads the file first ("-" = standard input). Failures to read are in diag with SP_E_SYSTEM. */
enum sp_rc sp_topology_load_file(const char *file, struct sp_model **ret_model,
                                 struct sp_problems *problems, struct sp_diag *diag) SP_MUST_CHECK;

struct sp_buf;
/* Reads a file ("-" = standard input) into out, for a caller who loads it with
 * sp_topology_load_text and keeps the text for sp_problem_print. A file that is too large is
 * refused before it is read: SP_E_INVALID with a problem. On failure out is empty. */
enum sp_rc sp_topology_read(const char *file, struct sp_buf *out, struct sp_problems *problems,
                            struct sp_diag *diag) SP_MUST_CHECK;
/* Adds the bytes that a model was loaded from. SP_E_INVALID: they cannot be had from it (it was not
 * loaded, or the text holds NULs). */
enum sp_rc sp_topology_source(const struct sp_model *model, struct sp_buf *out) SP_MUST_CHECK;
/* Prints one message as "file:line:col: /pointer: error|warning: text", the source line and a
 * caret. text may be NULL (no source line then). */
void sp_problem_print(const struct sp_problem *problem, const char *file, const char *text,
                      size_t len, bool color, struct sp_buf *out);

#endif
