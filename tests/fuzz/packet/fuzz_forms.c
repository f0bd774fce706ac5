/* SPDX-License-Identifier: Apache-2.0
 *
 * First bytes of connections and the messages between sensor and parent, from arbitrary bytes. The
 * first byte says which. More bytes never turn "no tag" into one, fewer never a tag into "no tag",
 * and both readings name the same packet; a message that is taken is written back as it was. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "probe/ask.h"
#include "probe/packet/tagform.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum sp_form_state read_exact(const struct sp_tag_keys *keys, const uint8_t *bytes,
                                     size_t len, struct sp_form *form)
{
    uint8_t *exact = malloc(len ? len : 1);
    if (!exact) {
        abort();
    }
    memcpy(exact, bytes, len);
    enum sp_form_state state = sp_form_read(keys, exact, len, form);
    free(exact);
    return state;
}

static void form(size_t cut, const uint8_t *bytes, size_t len)
{
    struct sp_tag_keys keys;
    uint8_t key[32];
    struct sp_form whole = {.kind = SP_TAG_PROBE};
    struct sp_form part = {.kind = SP_TAG_PROBE};
    memset(key, 0x5c, sizeof(key));
    sp_tag_keys_init(&keys, key);
    cut = cut < len ? cut : len;
    enum sp_form_state at_end = read_exact(&keys, bytes, len, &whole);
    enum sp_form_state at_cut = read_exact(&keys, bytes, cut, &part);
    if (at_cut == SP_FORM_NONE && at_end != SP_FORM_NONE) {
        abort();
    }
    if (at_cut == SP_FORM_TAG && (at_end != SP_FORM_TAG || part.block != whole.block ||
                                  part.port != whole.port || part.kind != whole.kind)) {
        abort();
    }
}

static void ask(const uint8_t *bytes, size_t len)
{
    uint8_t again[SP_ASK_BYTES];
    struct sp_ask got;
    if (!sp_ask_decode(bytes, len, &got)) {
        return;
    }
    sp_ask_encode(&got, again);
    if (len != sizeof(again) || memcmp(bytes, again, len) != 0 || got.port == 0) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size >= 2 && data[0] % 2 == 0) {
        form((size_t)data[0] / 2 + data[1], data + 2, size - 2);
    } else if (size >= 1) {
        ask(data + 1, size - 1);
    }
    return 0;
}
