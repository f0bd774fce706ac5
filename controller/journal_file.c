/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "controller/journal_priv.h"
#include "probe/base/cursor.h"
#include "probe/base/hash.h"
#include "probe/base/mem.h"
#include "probe/base/str.h"

enum kind { KIND_HEAD = 1, KIND_SWEEP = 2, KIND_END = 3 };

#define SP_INJECT_LAST 2U /* choices of --inject */
#define SP_NO_TEXT     0xffffU

_Static_assert(SP_JOURNAL_SWEEP_BYTES == 1 + 4 + SP_STATUS_BYTES + 4, "kind, sweep, status, n");

static uint64_t check_of(const void *data, size_t len)
{
    static const struct sp_hash_key key = {0x736567706a6f7572ULL, 0x6e616c2d76310000ULL};
    return sp_siphash(&key, data, len);
}

/* ---- writing ---- */

static void put_u16(struct sp_buf *out, uint16_t v)
{
    sp_buf_add(out, (uint8_t[]){(uint8_t)(v >> 8), (uint8_t)v}, 2);
}

static void put_u32(struct sp_buf *out, uint32_t v)
{
    put_u16(out, (uint16_t)(v >> 16));
    put_u16(out, (uint16_t)v);
}

static void put_u64(struct sp_buf *out, uint64_t v)
{
    put_u32(out, (uint32_t)(v >> 32));
    put_u32(out, (uint32_t)v);
}

static void put_u8(struct sp_buf *out, uint8_t v)
{
    sp_buf_add(out, &v, 1);
}

static void put_text(struct sp_buf *out, const char *text)
{
    size_t len = text ? strlen(text) : SP_NO_TEXT;
    if (text && len > SP_JOURNAL_TEXT_MAX) {
        out->rc = out->rc == SP_OK ? SP_E_LIMIT : out->rc;
        return;
    }
    put_u16(out, (uint16_t)len);
    if (text) {
        sp_buf_add(out, text, len);
    }
}

static void put_names(struct sp_buf *out, char *const *names, size_t n)
{
    if (n > SP_JOURNAL_NAMES_MAX) {
        out->rc = out->rc == SP_OK ? SP_E_LIMIT : out->rc;
        return;
    }
    put_u8(out, (uint8_t)n);
    for (size_t i = 0; i < n; i++) {
        put_text(out, names[i]);
    }
}

static uint8_t nibble(char c)
{
    return (uint8_t)(c >= 'a' ? c - 'a' + 10 : c - '0');
}

/* Hexadecimal text made by sp_hex. */
static void put_hex(struct sp_buf *out, const char *text)
{
    for (size_t i = 0; text[i] && text[i + 1]; i += 2) {
        put_u8(out, (uint8_t)(nibble(text[i]) << 4 | nibble(text[i + 1])));
    }
}

void sp_journal_put_head(const struct sp_journal_head *head, struct sp_buf *payload)
{
    put_u8(payload, KIND_HEAD);
    put_text(payload, SP_VERSION);
    put_hex(payload, head->run_id);
    put_hex(payload, head->topology_sha256);
    put_u64(payload, head->started_s);
    put_u64(payload, head->seed);
    put_u8(payload, head->depth);
    put_u8(payload, head->attempts_min);
    put_u8(payload, head->inject);
    put_u32(payload, head->rolling);
    put_u32(payload, head->slice.at);
    put_u32(payload, head->slice.of);
    put_u64(payload, head->slice.key);
    put_u32(payload, head->nsweeps);
    sp_buf_add(payload, head->plan_digest, sizeof(head->plan_digest));
    put_text(payload, head->from);
    put_text(payload, head->to);
    put_names(payload, head->only, head->nonly);
    put_names(payload, head->skip, head->nskip);
}

void sp_journal_put_sweep(size_t sweep, const struct sp_sweep_status *status,
                          const struct sp_sweep_span *spans, size_t n, struct sp_buf *payload)
{
    put_u8(payload, KIND_SWEEP);
    put_u32(payload, (uint32_t)sweep);
    sp_status_encode(status, payload);
    put_u32(payload, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        sp_span_encode(&spans[i], payload);
    }
}

void sp_journal_put_end(struct sp_buf *payload)
{
    put_u8(payload, KIND_END);
}

void sp_journal_add_frame(struct sp_buf *out, const struct sp_buf *payload)
{
    uint8_t len[4];
    struct sp_wr wr;
    if (payload->rc != SP_OK) {
        out->rc = out->rc == SP_OK ? payload->rc : out->rc;
        return;
    }
    sp_wr_init(&wr, len, sizeof(len));
    sp_wr_u32(&wr, (uint32_t)payload->len);
    sp_buf_add(out, len, sizeof(len));
    put_u32(out, (uint32_t)check_of(len, sizeof(len)));
    put_u64(out, check_of(payload->data, payload->len));
    sp_buf_add(out, payload->data, payload->len);
}

enum sp_rc sp_journal_digest(const struct sp_plan *plan, uint8_t out[static 32])
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool good = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; good && i < plan->nsweeps; i++) {
        const struct sp_plan_sweep *sweep = &plan->sweeps[i];
        const struct sp_pair *pair = &plan->pairs[sweep->pair];
        uint8_t bytes[96];
        struct sp_wr wr;
        sp_wr_init(&wr, bytes, sizeof(bytes));
        sp_wr_u32(&wr, pair->from);
        sp_wr_u32(&wr, pair->to);
        sp_wr_u8(&wr, pair->src.family);
        sp_wr_bytes(&wr, pair->src.bytes, sizeof(pair->src.bytes));
        sp_wr_u8(&wr, pair->dst.family);
        sp_wr_bytes(&wr, pair->dst.bytes, sizeof(pair->dst.bytes));
        sp_wr_u8(&wr, sweep->proto);
        sp_wr_u8(&wr, sweep->technique);
        sp_wr_u32(&wr, sweep->denied);
        sp_wr_u32(&wr, sweep->allowed);
        good = !wr.bad && EVP_DigestUpdate(md, bytes, wr.pos) == 1;
    }
    unsigned int n = 0;
    good = good && EVP_DigestFinal_ex(md, out, &n) == 1 && n == 32;
    EVP_MD_CTX_free(md);
    return good ? SP_OK : SP_E_NOMEM;
}

/* ---- reading ---- */

static enum sp_rc fetch(const struct sp_journal_source *source, uint64_t at, void *out, size_t len)
{
    size_t got = 0;
    if (at > source->size || len > source->size - at) {
        return SP_E_INVALID;
    }
    if (source->bytes) {
        memcpy(out, source->bytes + at, len);
        return SP_OK;
    }
    while (got < len) {
        ssize_t n = pread(source->fd, (uint8_t *)out + got, len - got, (off_t)(at + got));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            errno = n == 0 ? EIO : errno;
            return SP_E_SYSTEM;
        }
        got += (size_t)n;
    }
    return SP_OK;
}

enum frame { FRAME_WHOLE, FRAME_NONE, FRAME_CUT, FRAME_DAMAGED };

/* Only zeros from there to the end: room that the file system gave before the bytes came. */
static bool is_blank(const struct sp_journal_source *source, uint64_t at)
{
    uint8_t bytes[512];
    while (at < source->size) {
        size_t n = source->size - at < sizeof(bytes) ? (size_t)(source->size - at) : sizeof(bytes);
        if (fetch(source, at, bytes, n) != SP_OK) {
            return false;
        }
        for (size_t i = 0; i < n; i++) {
            if (bytes[i] != 0) {
                return false;
            }
        }
        at += n;
    }
    return true;
}

/* Reads the frame that begins there. A frame that is not whole was cut off when nothing stands
 * behind it: each is on the disk before the next is begun. */
static enum sp_rc read_frame(const struct sp_journal_source *source, uint64_t at,
                             enum frame *ret_what, uint8_t **ret_payload, size_t *ret_len)
{
    uint8_t head[SP_JOURNAL_FRAME_BYTES];
    uint64_t left = source->size - at;
    struct sp_rd rd;
    if (left < sizeof(head)) {
        *ret_what = left == 0 ? FRAME_NONE : FRAME_CUT;
        return SP_OK;
    }
    enum sp_rc rc = fetch(source, at, head, sizeof(head));
    if (rc != SP_OK) {
        return rc;
    }
    sp_rd_init(&rd, head, sizeof(head));
    uint32_t len = sp_rd_u32(&rd);
    if (sp_rd_u32(&rd) != (uint32_t)check_of(head, 4) || len == 0 || len > SP_JOURNAL_PAYLOAD_MAX) {
        *ret_what = is_blank(source, at) ? FRAME_CUT : FRAME_DAMAGED;
        return SP_OK;
    }
    if (len > left - sizeof(head)) {
        *ret_what = FRAME_CUT;
        return SP_OK;
    }
    uint8_t *payload = sp_calloc(len, 1);
    rc = payload ? fetch(source, at + sizeof(head), payload, len) : SP_E_NOMEM;
    if (rc == SP_OK && check_of(payload, len) != sp_rd_u64(&rd)) {
        bool is_last = at + sizeof(head) + len == source->size;
        *ret_what = is_last ? FRAME_CUT : FRAME_DAMAGED;
    } else if (rc == SP_OK) {
        *ret_what = FRAME_WHOLE;
        *ret_payload = payload;
        *ret_len = len;
        return SP_OK;
    }
    sp_free(payload);
    return rc;
}

/* Text without a control character, or NULL where none was written. */
static enum sp_rc get_text(struct sp_rd *rd, char **ret_text)
{
    uint16_t len = sp_rd_u16(rd);
    if (len == SP_NO_TEXT) {
        *ret_text = NULL;
        return SP_OK;
    }
    const uint8_t *at = len <= SP_JOURNAL_TEXT_MAX ? sp_rd_view(rd, len) : NULL;
    if (!at) {
        return SP_E_INVALID;
    }
    for (size_t i = 0; i < len; i++) {
        if (at[i] < 32 || at[i] == 127) {
            return SP_E_INVALID;
        }
    }
    *ret_text = sp_strndup((const char *)at, len);
    return *ret_text ? SP_OK : SP_E_NOMEM;
}

static enum sp_rc get_names(struct sp_rd *rd, char ***ret_names, size_t *ret_n)
{
    uint8_t n = sp_rd_u8(rd);
    enum sp_rc rc = n <= SP_JOURNAL_NAMES_MAX ? SP_OK : SP_E_INVALID;
    char **names = rc == SP_OK ? sp_calloc(n, sizeof(*names)) : NULL;
    if (!names) {
        return rc == SP_OK ? SP_E_NOMEM : rc;
    }
    *ret_names = names; /* released by the head, whatever comes */
    *ret_n = n;
    for (size_t i = 0; i < n && rc == SP_OK; i++) {
        rc = get_text(rd, &names[i]);
        rc = rc == SP_OK && !names[i] ? SP_E_INVALID : rc;
    }
    return rc;
}

static void get_hex(struct sp_rd *rd, size_t bytes, char *out)
{
    uint8_t raw[32];
    sp_rd_bytes(rd, raw, bytes);
    sp_hex(raw, bytes, out);
}

/* Everything but the version, which stands before it. */
static enum sp_rc get_head(struct sp_rd *rd, struct sp_journal_head *head)
{
    get_hex(rd, 8, head->run_id);
    get_hex(rd, 32, head->topology_sha256);
    head->started_s = sp_rd_u64(rd);
    head->seed = sp_rd_u64(rd);
    head->depth = sp_rd_u8(rd);
    head->attempts_min = sp_rd_u8(rd);
    head->inject = sp_rd_u8(rd);
    head->rolling = sp_rd_u32(rd);
    head->slice.at = sp_rd_u32(rd);
    head->slice.of = sp_rd_u32(rd);
    head->slice.key = sp_rd_u64(rd);
    head->nsweeps = sp_rd_u32(rd);
    sp_rd_bytes(rd, head->plan_digest, sizeof(head->plan_digest));
    bool slice = head->slice.of == 0 ? head->slice.at == 0 : head->slice.at < head->slice.of;
    bool good = !rd->bad && head->depth <= SP_DEPTH_EXHAUSTIVE && head->inject <= SP_INJECT_LAST &&
                slice && head->rolling == head->slice.of && head->seed != 0 && head->nsweeps > 0 &&
                head->nsweeps <= SP_JOURNAL_SWEEPS_MAX;
    enum sp_rc rc = good ? get_text(rd, &head->from) : SP_E_INVALID;
    rc = rc == SP_OK ? get_text(rd, &head->to) : rc;
    rc = rc == SP_OK ? get_names(rd, &head->only, &head->nonly) : rc;
    rc = rc == SP_OK ? get_names(rd, &head->skip, &head->nskip) : rc;
    return rc == SP_OK && (rd->bad || sp_rd_left(rd) > 0) ? SP_E_INVALID : rc;
}

static void free_names(char **names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        sp_free(names[i]);
    }
    sp_free(names);
}

static void release_head(struct sp_journal_head *head)
{
    sp_free(head->from);
    sp_free(head->to);
    free_names(head->only, head->nonly);
    free_names(head->skip, head->nskip);
    head->from = head->to = NULL;
    head->only = head->skip = NULL;
    head->nonly = head->nskip = 0;
}

void sp_journal_content_release(struct sp_journal_content *content)
{
    release_head(&content->head);
    sp_free(content->places);
    content->places = NULL;
}

/* The payload of a sweep. With ret_spans NULL it is only held against the format. */
static enum sp_rc parse_sweep(const uint8_t *payload, size_t len, uint32_t *ret_sweep,
                              struct sp_sweep_status *ret_status, struct sp_sweep_span **ret_spans,
                              size_t *ret_n)
{
    struct sp_rd rd;
    sp_rd_init(&rd, payload, len);
    sp_rd_skip(&rd, 1);
    *ret_sweep = sp_rd_u32(&rd);
    enum sp_rc rc = sp_status_decode(&rd, ret_status);
    uint32_t n = sp_rd_u32(&rd);
    if (rc != SP_OK || n > SP_SPANS_MAX || sp_rd_left(&rd) != (size_t)n * SP_SPAN_BYTES) {
        return SP_E_INVALID;
    }
    struct sp_sweep_span *spans = sp_calloc(ret_spans ? n : 1, sizeof(*spans));
    if (!spans) {
        return SP_E_NOMEM;
    }
    for (uint32_t i = 0; i < n && rc == SP_OK; i++) {
        rc = sp_span_decode(&rd, &spans[ret_spans ? i : 0]);
    }
    if (rc != SP_OK || !ret_spans) {
        sp_free(spans);
        return rc;
    }
    *ret_spans = spans;
    *ret_n = n;
    return SP_OK;
}

enum sp_rc sp_journal_read_sweep(const struct sp_journal_source *source, uint64_t at,
                                 uint32_t *ret_sweep, struct sp_sweep_status *ret_status,
                                 struct sp_sweep_span **ret_spans, size_t *ret_n)
{
    uint8_t *payload = NULL;
    size_t len = 0;
    enum frame what = FRAME_NONE;
    enum sp_rc rc = read_frame(source, at, &what, &payload, &len);
    if (rc == SP_OK && (what != FRAME_WHOLE || payload[0] != KIND_SWEEP)) {
        rc = SP_E_INVALID;
    }
    rc = rc == SP_OK ? parse_sweep(payload, len, ret_sweep, ret_status, ret_spans, ret_n) : rc;
    sp_free(payload);
    return rc;
}

/* ---- the whole file ---- */

static enum sp_rc damaged(struct sp_diag *diag, const char *where, uint64_t at)
{
    return sp_fail(diag, SP_E_INVALID, where,
                   "the file of this run is damaged at byte %llu: start the run anew, without "
                   "--resume",
                   (unsigned long long)at);
}

static enum sp_rc scan_head(const uint8_t *payload, size_t len, const char *where,
                            struct sp_journal_content *content, struct sp_diag *diag)
{
    struct sp_rd rd;
    char *version = NULL;
    sp_rd_init(&rd, payload, len);
    bool is_head = sp_rd_u8(&rd) == KIND_HEAD;
    enum sp_rc rc = is_head ? get_text(&rd, &version) : SP_E_INVALID;
    if (rc == SP_OK && (!version || strcmp(version, SP_VERSION) != 0)) {
        rc = sp_fail(diag, SP_E_DENIED, where,
                     "this run was begun by segproof %.32s, and this is %s: resume it with that "
                     "version, or start it anew",
                     version ? version : "?", SP_VERSION);
        sp_free(version);
        return rc;
    }
    sp_free(version);
    rc = rc == SP_OK ? get_head(&rd, &content->head) : rc;
    if (rc == SP_OK) {
        content->places = sp_calloc(content->head.nsweeps, sizeof(*content->places));
        rc = content->places ? SP_OK : SP_E_NOMEM;
    }
    return rc == SP_E_INVALID ? damaged(diag, where, SP_JOURNAL_MAGIC_BYTES) : rc;
}

static enum sp_rc scan_frame(const uint8_t *payload, size_t len, uint64_t at,
                             struct sp_journal_content *content)
{
    uint32_t sweep = 0;
    struct sp_sweep_status status;
    if (payload[0] == KIND_END && len == 1) {
        content->is_finished = true;
        return SP_OK;
    }
    enum sp_rc rc = payload[0] == KIND_SWEEP && !content->is_finished
                        ? parse_sweep(payload, len, &sweep, &status, NULL, NULL)
                        : SP_E_INVALID;
    if (rc != SP_OK || sweep >= content->head.nsweeps) {
        return rc == SP_OK ? SP_E_INVALID : rc;
    }
    content->count += content->places[sweep] == 0;
    content->places[sweep] = at; /* of two the later one counts */
    return SP_OK;
}

static enum sp_rc scan_magic(const struct sp_journal_source *source, const char *where,
                             struct sp_diag *diag)
{
    char magic[SP_JOURNAL_MAGIC_BYTES];
    enum sp_rc rc = fetch(source, 0, magic, sizeof(magic));
    if (rc == SP_OK && memcmp(magic, SP_JOURNAL_MAGIC, sizeof(magic)) == 0) {
        return SP_OK;
    }
    if (rc == SP_OK && memcmp(magic, SP_JOURNAL_MAGIC, sizeof(magic) - 2) == 0) {
        return sp_fail(diag, SP_E_DENIED, where,
                       "the file of this run was written by another version of segproof: resume "
                       "it with that one, or start the run anew");
    }
    return rc == SP_E_SYSTEM ? rc : damaged(diag, where, 0);
}

enum sp_rc sp_journal_scan(const struct sp_journal_source *source, const char *where,
                           struct sp_journal_content *ret_content, struct sp_diag *diag)
{
    struct sp_journal_content content = {.end = SP_JOURNAL_MAGIC_BYTES};
    enum frame what = FRAME_WHOLE;
    enum sp_rc rc = scan_magic(source, where, diag);
    while (rc == SP_OK && what == FRAME_WHOLE) {
        uint8_t *payload = NULL;
        size_t len = 0;
        bool is_first = content.end == SP_JOURNAL_MAGIC_BYTES;
        rc = read_frame(source, content.end, &what, &payload, &len);
        if (rc == SP_OK && (what == FRAME_DAMAGED || (is_first && what != FRAME_WHOLE))) {
            rc = damaged(diag, where, content.end);
        } else if (rc == SP_OK && what == FRAME_WHOLE) {
            rc = is_first ? scan_head(payload, len, where, &content, diag)
                          : scan_frame(payload, len, content.end, &content);
            rc = rc == SP_E_INVALID && !is_first ? damaged(diag, where, content.end) : rc;
            content.end += SP_JOURNAL_FRAME_BYTES + len;
        }
        sp_free(payload);
    }
    if (rc == SP_OK) {
        *ret_content = content;
        return SP_OK;
    }
    sp_journal_content_release(&content);
    if (rc == SP_E_SYSTEM) {
        return sp_fail_errno(diag, where, "cannot read the file of this run");
    }
    return rc == SP_E_NOMEM ? sp_fail(diag, rc, where, "out of memory") : rc;
}

enum sp_rc sp_journal_check(const uint8_t *bytes, size_t len, struct sp_diag *diag)
{
    struct sp_journal_source source = {.fd = -1, .bytes = bytes, .size = len};
    struct sp_journal_content content = {0};
    enum sp_rc rc = sp_journal_scan(&source, "journal", &content, diag);
    for (uint32_t i = 0; rc == SP_OK && i < content.head.nsweeps; i++) {
        struct sp_sweep_status status;
        struct sp_sweep_span *spans = NULL;
        uint32_t sweep = 0;
        size_t n = 0;
        if (content.places[i]) {
            rc = sp_journal_read_sweep(&source, content.places[i], &sweep, &status, &spans, &n);
            sp_free(spans);
        }
    }
    sp_journal_content_release(&content);
    return rc;
}
