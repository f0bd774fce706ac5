/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a topology: the loader must answer with a model, or with errors that can be printed;
 * never both, never neither. */
#include <stdlib.h>

#include "probe/base/buf.h"
#include "topologies/loader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_problems problems = {0};
    struct sp_model *model = NULL;
    struct sp_buf out;
    const char *text = (const char *)data;
    enum sp_rc rc = sp_topology_load_text("fuzz", text, size, &model, &problems);
    if ((rc == SP_OK) != (model != NULL) || (rc == SP_OK) != (problems.nerrors == 0) ||
        (rc != SP_OK && rc != SP_E_INVALID)) {
        abort();
    }
    sp_buf_init(&out, 1U << 24);
    for (size_t i = 0; i < problems.n; i++) {
        sp_problem_print(&problems.at[i], "fuzz", text, size, i % 2 == 0, &out);
    }
    for (size_t i = 0; i < out.len; i++) { /* only our own colours may drive a terminal */
        unsigned char c = (unsigned char)out.data[i];
        if (c < 0x20 && c != '\n' && !(c == 0x1b && out.data[i + 1] == '[')) {
            abort();
        }
    }
    sp_buf_release(&out);
    sp_problems_release(&problems);
    sp_model_free(model);
    return 0;
}
