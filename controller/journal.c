/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/journal_priv.h"
#include "probe/base/clock.h"
#include "probe/base/mem.h"

#define SP_HEAD_MAX   ((2 * SP_JOURNAL_NAMES_MAX + 4) * (SP_JOURNAL_TEXT_MAX + 2) + 1024)
#define SP_LISTED_MAX 3U /* runs that an error names */

struct sp_journal {
    int fd;
    char *path;
    struct sp_journal_content content;
    size_t nhosts;
    bool is_broken; /* what stands in the file is not known any more: nothing is added to it */
    bool has_failed;
};

static void sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
}

/* ---- writing ---- */

static int write_all(int fd, const struct sp_buf *buf)
{
    size_t at = 0;
    while (at < buf->len) {
        ssize_t n = write(fd, buf->data + at, buf->len - at);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            errno = n == 0 ? EIO : errno;
            return -1;
        }
        at += (size_t)n;
    }
    return 0;
}

/* Appends a frame and syncs, or leaves the file as it was. */
static enum sp_rc add_frame(struct sp_journal *journal, const struct sp_buf *payload)
{
    struct sp_buf frame;
    if (journal->is_broken) {
        errno = EIO;
        return SP_E_SYSTEM;
    }
    sp_buf_init(&frame, SP_JOURNAL_FRAME_BYTES + SP_JOURNAL_PAYLOAD_MAX);
    sp_journal_add_frame(&frame, payload);
    enum sp_rc rc = frame.rc;
    if (rc == SP_OK && (write_all(journal->fd, &frame) != 0 || fdatasync(journal->fd) != 0)) {
        int saved = errno;
        rc = SP_E_SYSTEM;
        journal->is_broken = ftruncate(journal->fd, (off_t)journal->content.end) != 0 ||
                             lseek(journal->fd, (off_t)journal->content.end, SEEK_SET) < 0;
        errno = saved;
    }
    journal->content.end += rc == SP_OK ? frame.len : 0;
    sp_buf_release(&frame);
    return rc;
}

static enum sp_rc copy_text(const char *text, char **ret_copy)
{
    *ret_copy = text ? sp_strdup(text) : NULL;
    return text && !*ret_copy ? SP_E_NOMEM : SP_OK;
}

static enum sp_rc copy_names(char *const *names, size_t n, char ***ret_copy, size_t *ret_n)
{
    enum sp_rc rc = SP_OK;
    *ret_copy = sp_calloc(n, sizeof(**ret_copy));
    *ret_n = *ret_copy ? n : 0;
    for (size_t i = 0; *ret_copy && i < n && rc == SP_OK; i++) {
        rc = copy_text(names[i], &(*ret_copy)[i]);
    }
    return *ret_copy ? rc : SP_E_NOMEM;
}

static enum sp_rc copy_head(const struct sp_journal_head *given, const struct sp_model *model,
                            const struct sp_plan *plan, struct sp_journal_head *head)
{
    *head = *given;
    head->from = head->to = NULL;
    head->only = head->skip = NULL;
    head->nonly = head->nskip = 0;
    (void)snprintf(head->topology_sha256, sizeof(head->topology_sha256), "%s", model->sha256);
    head->started_s = sp_wall_s();
    head->seed = plan->seed;
    head->depth = (uint8_t)plan->depth;
    head->slice = plan->slice;
    head->rolling = plan->slice.of;
    head->nsweeps = (uint32_t)plan->nsweeps;
    enum sp_rc rc = copy_text(given->from, &head->from);
    rc = rc == SP_OK ? copy_text(given->to, &head->to) : rc;
    rc = rc == SP_OK ? copy_names(given->only, given->nonly, &head->only, &head->nonly) : rc;
    rc = rc == SP_OK ? copy_names(given->skip, given->nskip, &head->skip, &head->nskip) : rc;
    return rc == SP_OK ? sp_journal_digest(plan, head->plan_digest) : rc;
}

static enum sp_rc cannot_begin(struct sp_diag *diag, enum sp_rc rc, const char *folder)
{
    if (rc != SP_E_SYSTEM) {
        return sp_fail(diag, rc, folder, "cannot write down how far the run is: %s", sp_rc_str(rc));
    }
    return sp_fail_errno(diag, folder, "cannot write down how far the run is");
}

static enum sp_rc begin_file(struct sp_journal *journal)
{
    struct sp_buf magic;
    struct sp_buf payload;
    journal->fd = open(journal->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (journal->fd < 0 || sp_journal_is_locked(journal->fd)) {
        return SP_E_SYSTEM;
    }
    sp_buf_init(&magic, SP_JOURNAL_MAGIC_BYTES);
    sp_buf_init(&payload, SP_HEAD_MAX);
    sp_buf_str(&magic, SP_JOURNAL_MAGIC);
    sp_journal_put_head(&journal->content.head, &payload);
    enum sp_rc rc = magic.rc;
    if (rc == SP_OK && write_all(journal->fd, &magic) != 0) {
        rc = SP_E_SYSTEM;
    }
    journal->content.end = SP_JOURNAL_MAGIC_BYTES;
    rc = rc == SP_OK ? add_frame(journal, &payload) : rc;
    int saved = errno;
    sp_buf_release(&payload);
    sp_buf_release(&magic);
    if (rc != SP_OK) {
        (void)unlink(journal->path);
    }
    errno = saved;
    return rc;
}

static enum sp_rc new_journal(const char *folder, const char *run_id, const struct sp_model *model,
                              struct sp_journal **ret_journal)
{
    struct sp_journal *journal = sp_calloc(1, sizeof(*journal));
    if (!journal) {
        return SP_E_NOMEM;
    }
    journal->fd = -1;
    journal->nhosts = model->nhosts;
    journal->path = sp_journal_path(folder, run_id, SP_JOURNAL_SUFFIX);
    if (!journal->path) {
        sp_free(journal);
        return SP_E_NOMEM;
    }
    *ret_journal = journal;
    return SP_OK;
}

enum sp_rc sp_journal_create(const char *folder, const struct sp_journal_head *head,
                             const struct sp_model *model, const struct sp_plan *plan,
                             struct sp_journal **ret_journal, struct sp_diag *diag)
{
    struct sp_journal *journal = NULL;
    if (!sp_journal_is_id(head->run_id, "") || plan->nsweeps == 0 ||
        plan->nsweeps > SP_JOURNAL_SWEEPS_MAX) {
        return sp_fail(diag, SP_E_INVALID, folder, "a run of %zu sweeps cannot be written down",
                       plan->nsweeps);
    }
    enum sp_rc rc = new_journal(folder, head->run_id, model, &journal);
    rc = rc == SP_OK ? copy_head(head, model, plan, &journal->content.head) : rc;
    if (rc == SP_OK) {
        journal->content.places = sp_calloc(plan->nsweeps, sizeof(*journal->content.places));
        rc = journal->content.places ? begin_file(journal) : SP_E_NOMEM;
    }
    if (rc != SP_OK) {
        rc = cannot_begin(diag, rc, folder);
        sp_journal_free(journal);
        return rc;
    }
    sync_folder(folder);
    *ret_journal = journal;
    return SP_OK;
}

/* ---- going on with an earlier run ---- */

struct listed {
    char text[(SP_JOURNAL_ID_LEN + 2) * SP_LISTED_MAX + 1];
    size_t n;
};

static void list_one(void *arg, const char *run_id)
{
    struct listed *listed = arg;
    if (listed->n < SP_LISTED_MAX) {
        size_t at = strlen(listed->text);
        (void)snprintf(listed->text + at, sizeof(listed->text) - at, "%s%s", listed->n ? ", " : "",
                       run_id);
    }
    listed->n++;
}

static enum sp_rc not_there(const char *folder, const char *run_id, struct sp_diag *diag)
{
    struct listed listed = {0};
    sp_journal_list(folder, list_one, &listed);
    return sp_fail(diag, SP_E_NOTFOUND, run_id,
                   "no such run can be resumed: it came to its end (then its report is the "
                   "record), had no sweeps, or was begun by somebody else; %s%s%s",
                   listed.n ? "there are: " : "there is none", listed.text,
                   listed.n > SP_LISTED_MAX ? ", and more" : "");
}

/* Ours alone: what it says becomes a report. */
static enum sp_rc check_owner(int fd, const char *path, uint64_t *ret_size, struct sp_diag *diag)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return sp_fail_errno(diag, path, "cannot read the file of this run");
    }
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022) != 0) {
        return sp_fail(diag, SP_E_DENIED, path,
                       "the file of this run is not ours alone, so it is not believed: resume as "
                       "the user who began it, or start the run anew");
    }
    *ret_size = (uint64_t)st.st_size;
    return SP_OK;
}

static enum sp_rc check_topology(const struct sp_journal_head *head, const char *run_id,
                                 const struct sp_model *model, struct sp_diag *diag)
{
    if (strcmp(head->run_id, run_id) != 0) {
        return sp_fail(diag, SP_E_INVALID, run_id,
                       "the file of this run belongs to run %s: it was renamed", head->run_id);
    }
    if (strcmp(head->topology_sha256, model->sha256) != 0) {
        return sp_fail(diag, SP_E_DENIED, run_id,
                       "the topology is not the one that this run was begun with (SHA-256 %.12s "
                       "then, %.12s now): resume with that file, or start the run anew",
                       head->topology_sha256, model->sha256);
    }
    return SP_OK;
}

static enum sp_rc open_file(struct sp_journal *journal, const char *folder, const char *run_id,
                            const struct sp_model *model, struct sp_diag *diag)
{
    struct sp_journal_source source = {0};
    journal->fd = open(journal->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (journal->fd < 0) {
        return errno == ENOENT
                   ? not_there(folder, run_id, diag)
                   : sp_fail_errno(diag, journal->path, "cannot open the file of this run");
    }
    source.fd = journal->fd;
    enum sp_rc rc = check_owner(journal->fd, journal->path, &source.size, diag);
    if (rc == SP_OK && sp_journal_is_locked(journal->fd)) {
        return sp_fail(diag, SP_E_DENIED, run_id,
                       "this run goes on in another process: wait for it, or stop it");
    }
    rc = rc == SP_OK ? sp_journal_scan(&source, journal->path, &journal->content, diag) : rc;
    if (rc == SP_OK && journal->content.is_finished) {
        return sp_fail(diag, SP_E_DENIED, run_id,
                       "this run came to its end, its report is the record: start a new one");
    }
    rc = rc == SP_OK ? check_topology(&journal->content.head, run_id, model, diag) : rc;
    if (rc == SP_OK && (ftruncate(journal->fd, (off_t)journal->content.end) != 0 ||
                        lseek(journal->fd, (off_t)journal->content.end, SEEK_SET) < 0)) {
        rc = sp_fail_errno(diag, journal->path, "cannot write to the file of this run");
    }
    return rc;
}

enum sp_rc sp_journal_open(const char *folder, const char *run_id, const struct sp_model *model,
                           struct sp_journal **ret_journal, struct sp_diag *diag)
{
    struct sp_journal *journal = NULL;
    if (!sp_journal_is_id(run_id, "")) {
        return sp_fail(diag, SP_E_INVALID, run_id,
                       "this is no run: write the 16 hexadecimal digits that the interrupted run "
                       "told");
    }
    enum sp_rc rc = new_journal(folder, run_id, model, &journal);
    if (rc != SP_OK) {
        return sp_fail(diag, rc, run_id, "out of memory");
    }
    rc = open_file(journal, folder, run_id, model, diag);
    if (rc != SP_OK) {
        sp_journal_free(journal);
        return rc;
    }
    *ret_journal = journal;
    return SP_OK;
}

enum sp_rc sp_journal_match(const struct sp_journal *journal, const struct sp_plan *plan,
                            struct sp_diag *diag)
{
    const struct sp_journal_head *head = &journal->content.head;
    uint8_t digest[32];
    if (sp_journal_digest(plan, digest) != SP_OK) {
        return sp_fail(diag, SP_E_NOMEM, head->run_id, "out of memory");
    }
    if (plan->nsweeps != head->nsweeps || memcmp(digest, head->plan_digest, sizeof(digest)) != 0) {
        return sp_fail(diag, SP_E_DENIED, head->run_id,
                       "the plan is not the one of this run, which had %u sweeps (now %zu): start "
                       "the run anew",
                       (unsigned)head->nsweeps, plan->nsweeps);
    }
    return SP_OK;
}

/* ---- what it holds ---- */

const struct sp_journal_head *sp_journal_head(const struct sp_journal *journal)
{
    return &journal->content.head;
}

size_t sp_journal_count(const struct sp_journal *journal)
{
    return journal->content.count;
}

bool sp_journal_has(const struct sp_journal *journal, size_t sweep)
{
    return sweep < journal->content.head.nsweeps && journal->content.places[sweep] != 0;
}

enum sp_rc sp_journal_get(const struct sp_journal *journal, size_t sweep,
                          struct sp_sweep_status *ret_status, struct sp_sweep_span **ret_spans,
                          size_t *ret_n, struct sp_diag *diag)
{
    struct sp_journal_source source = {.fd = journal->fd, .size = journal->content.end};
    struct sp_sweep_status status;
    struct sp_sweep_span *spans = NULL;
    uint32_t read = 0;
    size_t n = 0;
    if (!sp_journal_has(journal, sweep)) {
        return sp_fail(diag, SP_E_NOTFOUND, journal->path, "no sweep %zu", sweep);
    }
    enum sp_rc rc =
        sp_journal_read_sweep(&source, journal->content.places[sweep], &read, &status, &spans, &n);
    rc = rc == SP_OK && read != sweep ? SP_E_INVALID : rc;
    for (size_t i = 0; rc == SP_OK && i < n; i++) {
        uint32_t host = spans[i].seen.elsewhere_host;
        rc = host < journal->nhosts || host == SP_NONE ? SP_OK : SP_E_INVALID;
    }
    if (rc != SP_OK) {
        sp_free(spans);
        return sp_fail(diag, rc, journal->path,
                       "what the run found cannot be read again (%s): start the run anew, without "
                       "--resume",
                       rc == SP_E_INVALID ? "the file is damaged" : sp_rc_str(rc));
    }
    *ret_status = status;
    *ret_spans = spans;
    *ret_n = n;
    return SP_OK;
}

enum sp_rc sp_journal_append(struct sp_journal *journal, size_t sweep,
                             const struct sp_sweep_status *status,
                             const struct sp_sweep_span *spans, size_t n, struct sp_diag *diag)
{
    struct sp_buf payload;
    uint64_t at = journal->content.end;
    if (diag) {
        *diag = (struct sp_diag){0};
    }
    if (sweep >= journal->content.head.nsweeps || n > SP_SPANS_MAX) {
        return sp_fail(diag, SP_E_INVALID, journal->path, "sweep %zu with %zu ranges: no such",
                       sweep, n);
    }
    sp_buf_init(&payload, SP_JOURNAL_PAYLOAD_MAX);
    sp_journal_put_sweep(sweep, status, spans, n, &payload);
    enum sp_rc rc = payload.rc == SP_OK ? add_frame(journal, &payload) : payload.rc;
    int saved = errno;
    sp_buf_release(&payload);
    if (rc == SP_OK) {
        journal->has_failed = false;
        journal->content.count += journal->content.places[sweep] == 0;
        journal->content.places[sweep] = at;
        return SP_OK;
    }
    bool is_news = !journal->has_failed;
    journal->has_failed = true;
    errno = saved;
    if (is_news && rc == SP_E_SYSTEM) {
        rc = sp_fail_errno(diag, journal->path,
                           "a finished sweep could not be written down; the run goes on, but "
                           "would have to repeat it if it were resumed");
    } else if (is_news) {
        rc = sp_fail(diag, rc, journal->path, "a finished sweep could not be written down: %s",
                     sp_rc_str(rc));
    }
    return rc;
}

void sp_journal_finish(struct sp_journal *journal)
{
    struct sp_buf payload;
    sp_buf_init(&payload, 16);
    sp_journal_put_end(&payload);
    if (unlink(journal->path) != 0) {
        (void)add_frame(journal, &payload); /* cannot be removed: then it says that it is over */
    }
    sp_buf_release(&payload);
}

void sp_journal_free(struct sp_journal *journal)
{
    if (journal) {
        if (journal->fd >= 0) {
            (void)close(journal->fd);
        }
        sp_journal_content_release(&journal->content);
        sp_free(journal->path);
        sp_free(journal);
    }
}
