/* SPDX-License-Identifier: Apache-2.0
 *
 * The file of a journal (journal_file.c) and its folder (journal_folder.c), for journal.c, which
 * opens, locks and writes it.
 *
 * SP_JOURNAL_MAGIC, then frames: length of the payload (4 bytes), a check of the length (4), a
 * check of the payload (8), the payload. All numbers are big-endian. The first byte of a payload is
 * its kind. The checks find what a crash or a disk did; they are no protection from whoever may
 * write the file. */
#ifndef SP_CONTROLLER_JOURNAL_PRIV_H
#define SP_CONTROLLER_JOURNAL_PRIV_H

#include "controller/journal.h"

#define SP_JOURNAL_MAGIC       "SPJRNL1\n" /* the digit is the version */
#define SP_JOURNAL_MAGIC_BYTES 8U
#define SP_JOURNAL_FRAME_BYTES 16U /* before the payload */
#define SP_JOURNAL_SWEEP_BYTES 61U /* before the spans: frame kind, sweep, status, their number */
#define SP_JOURNAL_PAYLOAD_MAX (SP_JOURNAL_SWEEP_BYTES + SP_SPANS_MAX * SP_SPAN_BYTES)
#define SP_JOURNAL_SWEEPS_MAX  (16U << 20)

#define SP_JOURNAL_SUFFIX ".journal"
#define SP_JOURNAL_ID_LEN 16U

/* journal_folder.c: is this the id of a run, followed by rest? FOLDER/name and suffix, owned by the
 * caller. Does another process write to this file? If not, nobody can from now on. */
bool sp_journal_is_id(const char *text, const char *rest);
char *sp_journal_path(const char *folder, const char *name, const char *suffix);
bool sp_journal_is_locked(int fd);

/* Where the bytes come from. */
struct sp_journal_source {
    int fd; /* when bytes is NULL */
    const uint8_t *bytes;
    uint64_t size;
};

/* What stands in a file. */
struct sp_journal_content {
    struct sp_journal_head head;
    uint64_t *places; /* head.nsweeps: where the frame of each sweep begins, 0 = nowhere; owned */
    size_t count;     /* sweeps that have one */
    uint64_t end;     /* behind the last whole frame; what follows was cut off */
    bool is_finished;
};

void sp_journal_content_release(struct sp_journal_content *content);
/* Appends a frame around a payload. */
void sp_journal_add_frame(struct sp_buf *out, const struct sp_buf *payload);
void sp_journal_put_head(const struct sp_journal_head *head, struct sp_buf *payload);
void sp_journal_put_sweep(size_t sweep, const struct sp_sweep_status *status,
                          const struct sp_sweep_span *spans, size_t n, struct sp_buf *payload);
void sp_journal_put_end(struct sp_buf *payload);

/* Reads the whole file and holds every frame against the format. SP_E_INVALID tells in diag what is
 * wrong; where is the name of the file. */
enum sp_rc sp_journal_scan(const struct sp_journal_source *source, const char *where,
                           struct sp_journal_content *ret_content,
                           struct sp_diag *diag) SP_MUST_CHECK;
/* The sweep whose frame begins there. *ret_spans is freed with sp_free(). */
enum sp_rc sp_journal_read_sweep(const struct sp_journal_source *source, uint64_t at,
                                 uint32_t *ret_sweep, struct sp_sweep_status *ret_status,
                                 struct sp_sweep_span **ret_spans, size_t *ret_n) SP_MUST_CHECK;
/* SHA-256 over what the plan sweeps. */
enum sp_rc sp_journal_digest(const struct sp_plan *plan, uint8_t out[static 32]) SP_MUST_CHECK;

#endif
