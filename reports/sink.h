/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a finished report goes. A reader of the file sees the old report or the new one, never half
 * of one: it is written beside the file, synced and renamed. */
#ifndef SP_REPORTS_SINK_H
#define SP_REPORTS_SINK_H

#include "probe/base/buf.h"

/* Writes the whole buffer to path; "-" is standard output. What exists and is no regular file (a
 * device, a pipe) is written straight into, since it cannot be replaced. A symbolic link keeps
 * pointing where it does and its target is replaced. On failure nothing at path has changed, the
 * temporary file is gone, and diag says what to do. The caller ignores SIGPIPE. */
enum sp_rc sp_sink_write_file(const char *path, const struct sp_buf *buf,
                              struct sp_diag *diag) SP_MUST_CHECK;

#endif
