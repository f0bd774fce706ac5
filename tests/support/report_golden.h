/* SPDX-License-Identifier: Apache-2.0
 *
 * Compares a report with a file of tests/golden/formats/. SP_UPDATE_GOLDEN=1 in the environment
 * writes the files instead; look at the difference before you commit it. */
#ifndef SP_SUPPORT_REPORT_GOLDEN_H
#define SP_SUPPORT_REPORT_GOLDEN_H

#include "reports/formats/format.h"
#include "tests/support/sample_result.h"

/* Renders the sample; the buffer is the caller's. Fails the test when that fails. */
void sp_render_sample(const struct sp_sample *sample, const char *format,
                      const struct sp_format_options *options, struct sp_buf *ret_out);
/* The program's version in the text is written "@VERSION@" in the file. */
void sp_assert_golden(const char *file, const struct sp_buf *got);
/* Renders with these options, compares, and frees sample. */
void sp_check_golden(struct sp_sample *sample, const char *format,
                     const struct sp_format_options *options, const char *file);

#endif
