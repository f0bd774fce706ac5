/* SPDX-License-Identifier: Apache-2.0
 *
 * Records from arbitrary bytes: whatever is accepted has one encoding only, the one it came in. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "probe/wire/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (size_t at = 0; at < size; at += SP_RECORD_BYTES) {
        uint8_t in[SP_RECORD_BYTES] = {0};
        uint8_t out[SP_RECORD_BYTES];
        struct sp_record record;
        struct sp_record before;
        struct sp_diag diag = {0};
        size_t n = size - at < sizeof(in) ? size - at : sizeof(in);
        memcpy(in, data + at, n);
        memset(&record, 0xa5, sizeof(record));
        memset(&before, 0xa5, sizeof(before));
        if (sp_record_decode(in, &record, &diag) != SP_OK) {
            if (memcmp(&record, &before, sizeof(record)) != 0 || diag.text[0] == '\0') {
                abort();
            }
            continue;
        }
        sp_record_encode(&record, out);
        if (memcmp(in, out, sizeof(in)) != 0 || sp_record_type_str(record.type)[0] == '\0') {
            abort();
        }
    }
    return 0;
}
