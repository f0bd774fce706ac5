/* SPDX-License-Identifier: Apache-2.0
 *
 * Questions from arbitrary bytes: whatever is accepted is within the bounds. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "probe/caller/call_ask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_call_endpoint endpoint = {.name = "a.example", .port = 443};
    const struct sp_call_bounds bounds = {.endpoints = &endpoint, .n = 1};
    struct sp_call_ask ask;
    struct sp_diag diag = {0};
    if (sp_call_ask_read(&bounds, (const char *)data, size, &ask, &diag) != SP_OK) {
        if (!diag.text[0]) {
            abort();
        }
        return 0;
    }
    if (strcmp(ask.name, "a.example") != 0 || ask.port != 443 || ask.naddrs > 0 ||
        ask.nservers > 0 || ask.step_ms < SP_CALL_STEP_MIN_MS ||
        ask.step_ms > SP_CALL_STEP_MAX_MS || strpbrk(ask.path, " \r\n")) {
        abort();
    }
    sp_call_ask_release(&ask);
    return 0;
}
