/* SPDX-License-Identifier: Apache-2.0
 *
 * A report format: one file fmt_x.c and one line in registry.def. */
#ifndef SP_REPORTS_FORMAT_H
#define SP_REPORTS_FORMAT_H

#include "probe/base/buf.h"
#include "reports/result.h"
#include "reports/summary.h"

struct sp_format_options {
    bool color;
    unsigned width; /* columns of the terminal, 0 = unknown (100 is used) */
    int verbosity;  /* -1 quiet, 0 normal, 1 verbose */
    bool ascii;     /* the terminal does not show UTF-8 */
};

struct sp_format {
    const char *name;      /* "json" */
    const char *extension; /* ".json" */
    const char *summary;
    /* Renders the whole report into out (whose maximum the caller chose), after what it already
     * holds. options NULL = all zero. Depends on nothing but its arguments. */
    enum sp_rc (*render)(const struct sp_summary *summary, const struct sp_format_options *options,
                         struct sp_buf *out);
};

#define SP_ENTRY(name) extern const struct sp_format sp_fmt_##name;
#include "reports/formats/registry.def"
#undef SP_ENTRY

size_t sp_format_count(void);
const struct sp_format *sp_format_at(size_t index);
const struct sp_format *sp_format_find(const char *name);

#endif
