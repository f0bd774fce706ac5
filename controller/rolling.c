/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/rolling.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/rolling_priv.h"
#include "controller/state_dir.h"
#include "probe/base/clock.h"
#include "probe/base/hash.h"
#include "probe/base/mem.h"
#include "probe/base/str.h"
#include "reports/sink.h"

bool sp_rolling_default_folder(char *out, size_t size)
{
    return sp_state_path("rolling/", out, size);
}

/* ---- taking up a cycle ---- */

static enum sp_rc read_file(const char *path, struct sp_buf *text, struct sp_diag *diag)
{
    uint8_t bytes[65536];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    ssize_t n = 1;
    if (fd < 0 && errno == ENOENT) {
        return SP_E_NOTFOUND;
    }
    while (fd >= 0 && n > 0 && text->rc == SP_OK) {
        n = read(fd, bytes, sizeof(bytes));
        if (n > 0) {
            sp_buf_add(text, bytes, (size_t)n);
        }
    }
    enum sp_rc rc = fd < 0 || n < 0
                        ? sp_fail_errno(diag, path, "cannot read the file of this cycle")
                        : text->rc;
    if (fd >= 0) {
        (void)close(fd);
    }
    return rc;
}

/* What an earlier run left; SP_E_NOTFOUND when there was none. */
static enum sp_rc load(const char *path, struct sp_rolling_state *ret_old, struct sp_diag *diag)
{
    struct sp_buf text;
    sp_buf_init(&text, SP_ROLLING_FILE_MAX);
    enum sp_rc rc = read_file(path, &text, diag);
    if (rc == SP_OK) {
        rc = sp_rolling_decode((const uint8_t *)text.data, text.len, ret_old);
        if (rc != SP_OK) {
            struct sp_diag why = {0};
            rc = sp_rolling_check((const uint8_t *)text.data, text.len, &why);
            rc = sp_fail(diag, rc, path, "%s", why.text);
        }
    } else if (rc == SP_E_LIMIT) {
        rc = sp_fail(diag, SP_E_INVALID, path,
                     "the file of this cycle is damaged: remove it to start over");
    }
    sp_buf_release(&text);
    return rc;
}

/* Hands on what old lanes covered to the same lanes of now; says what is new. */
static void take_over(struct sp_rolling *rolling, const struct sp_rolling_state *old)
{
    struct sp_rolling_state *state = &rolling->state;
    uint32_t now = (uint32_t)sp_wall_s();
    size_t kept = 0;
    for (size_t i = 0; i < old->nlanes; i++) {
        uint32_t row = sp_rolling_find(rolling, old->ids[i]);
        for (size_t k = 0; row != SP_NO_ROW && k < state->nparts; k++) {
            uint32_t at = old->covered_s[i * old->nparts + k];
            *sp_rolling_cell(rolling, row, k) =
                at < now ? at : now; /* a clock that was set back since */
        }
        kept += row != SP_NO_ROW;
    }
    memcpy(state->parts, old->parts, state->nparts * sizeof(*state->parts));
    size_t fresh = state->nlanes - kept;
    for (size_t k = 0; fresh > 0 && k < state->nparts; k++) {
        state->parts[k].fruitless = 0;
    }
    if (kept == 0) {
        memset(state->parts, 0, state->nparts * sizeof(*state->parts));
        (void)snprintf(rolling->news, sizeof(rolling->news),
                       "what the topology denies has changed everywhere since the last run: the "
                       "cycle of %u parts starts over",
                       (unsigned)state->nparts);
    } else if (fresh > 0) {
        (void)snprintf(rolling->news, sizeof(rolling->news),
                       "%zu of %zu lanes are new, or what the topology denies there has changed: "
                       "their part of the cycle starts over",
                       fresh, state->nlanes);
    }
}

/* The lanes of now, with the key and what is still true of an earlier run. */
static enum sp_rc build(struct sp_rolling *rolling, uint32_t parts, const struct sp_model *model,
                        struct sp_policy *policy, const struct sp_plan *whole,
                        const struct sp_rolling_state *old)
{
    enum sp_rc rc = sp_rolling_state_init(&rolling->state, parts, whole->nsweeps);
    bool goes_on = old && old->nparts == parts;
    if (rc != SP_OK) {
        return rc;
    }
    if (goes_on) {
        rolling->state.key = old->key;
    } else {
        sp_random_bytes(&rolling->state.key, sizeof(rolling->state.key));
    }
    if (old && !goes_on) {
        (void)snprintf(rolling->news, sizeof(rolling->news),
                       "the cycle had %u parts and now has %u: it starts over",
                       (unsigned)old->nparts, (unsigned)parts);
    }
    rolling->weight_of = sp_calloc(whole->nsweeps, sizeof(*rolling->weight_of));
    rc = rolling->weight_of ? sp_rolling_part_ports(rolling) : SP_E_NOMEM;
    rc = rc == SP_OK ? sp_rolling_name_lanes(rolling, model, policy, whole) : rc;
    if (rc == SP_OK && goes_on) {
        take_over(rolling, old);
    }
    return rc;
}

static enum sp_rc path_of(const char *folder, const struct sp_rolling_what *what,
                          const struct sp_model *model, char **ret_path)
{
    struct sp_buf text;
    uint8_t whole[32];
    char hex[33];
    sp_buf_init(&text, 1U << 20);
    sp_rolling_add_text(&text, model->name);
    sp_rolling_add_text(&text, what->from);
    sp_rolling_add_text(&text, what->to);
    sp_rolling_add_u32(&text, (uint32_t)what->nonly);
    for (size_t i = 0; i < what->nonly; i++) {
        sp_rolling_add_text(&text, what->only[i]);
    }
    for (size_t i = 0; i < what->nskip; i++) {
        sp_rolling_add_text(&text, what->skip[i]);
    }
    enum sp_rc rc = sp_rolling_digest(&text, whole);
    sp_buf_release(&text);
    if (rc == SP_OK) {
        size_t room = strlen(folder) + sizeof(hex) + 8;
        sp_hex(whole, 16, hex);
        *ret_path = sp_calloc(room, 1);
        rc = *ret_path ? SP_OK : SP_E_NOMEM;
        if (*ret_path) {
            (void)snprintf(*ret_path, room, "%s/%s.cycle", folder, hex);
        }
    }
    return rc;
}

/* Two runs of one cycle would sweep the same part, and one would forget what the other did. */
static enum sp_rc take_lock(struct sp_rolling *rolling, struct sp_diag *diag)
{
    size_t room = strlen(rolling->path) + 6;
    char *name = sp_calloc(room, 1);
    if (!name) {
        return SP_E_NOMEM;
    }
    (void)snprintf(name, room, "%s.lock", rolling->path);
    enum sp_rc rc = SP_OK;
    rolling->lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (rolling->lock < 0) {
        rc = sp_fail_errno(diag, name, "cannot remember what the cycle covers");
    } else if (flock(rolling->lock, LOCK_EX | LOCK_NB) != 0) {
        rc = sp_fail(diag, SP_E_DENIED, name,
                     "another run of this cycle goes on: wait for it, or stop it");
    }
    sp_free(name);
    return rc;
}

static enum sp_rc open_cycle(struct sp_rolling *rolling, const char *folder,
                             const struct sp_rolling_what *what, const struct sp_model *model,
                             struct sp_policy *policy, const struct sp_plan *whole,
                             struct sp_diag *diag)
{
    struct sp_rolling_state old = {0};
    enum sp_rc rc = path_of(folder, what, model, &rolling->path);
    rc = rc == SP_OK ? take_lock(rolling, diag) : rc;
    bool is_first = false;
    if (rc == SP_OK) {
        rc = load(rolling->path, &old, diag);
        is_first = rc == SP_E_NOTFOUND;
        rc = is_first ? SP_OK : rc;
    }
    if (rc == SP_OK) {
        rc = build(rolling, what->parts, model, policy, whole, is_first ? NULL : &old);
        if (rc == SP_E_LIMIT) {
            (void)sp_fail(diag, rc, "--rolling",
                          "%zu lanes in %u parts are too many to keep track of: ask for fewer "
                          "parts, or select with --from and --to",
                          whole->nsweeps, (unsigned)what->parts);
        }
    }
    sp_rolling_state_release(&old);
    if (rc == SP_OK) {
        rolling->slice = sp_rolling_next(rolling);
        rc = sp_rolling_save(rolling, diag); /* better now than after hours */
    }
    return rc;
}

enum sp_rc sp_rolling_open(const char *folder, const struct sp_rolling_what *what,
                           const struct sp_model *model, struct sp_policy *policy,
                           const struct sp_plan *whole, struct sp_rolling **ret_rolling,
                           struct sp_diag *diag)
{
    struct sp_rolling *rolling = sp_calloc(1, sizeof(*rolling));
    struct sp_diag why = {0};
    if (!rolling) {
        return sp_fail(diag, SP_E_NOMEM, "--rolling", "out of memory");
    }
    rolling->lock = -1;
    sp_table_init(&rolling->by_id);
    enum sp_rc rc = open_cycle(rolling, folder, what, model, policy, whole, &why);
    if (rc != SP_OK) {
        rc = sp_fail(diag, rc, why.where[0] ? why.where : "--rolling", "%s",
                     why.text[0] ? why.text : sp_rc_str(rc));
        sp_rolling_free(rolling);
        return rc;
    }
    *ret_rolling = rolling;
    return SP_OK;
}

void sp_rolling_free(struct sp_rolling *rolling)
{
    if (rolling) {
        if (rolling->lock >= 0) {
            (void)close(rolling->lock);
        }
        for (size_t i = 0; i < rolling->nweights; i++) {
            sp_free(rolling->weights[i].ports);
        }
        sp_free(rolling->weights);
        sp_free(rolling->weight_of);
        sp_table_release(&rolling->by_id);
        sp_rolling_state_release(&rolling->state);
        sp_free(rolling->path);
        sp_free(rolling);
    }
}

const char *sp_rolling_news(const struct sp_rolling *rolling)
{
    return rolling->news;
}

enum sp_rc sp_rolling_save(const struct sp_rolling *rolling, struct sp_diag *diag)
{
    struct sp_buf out;
    struct sp_diag why = {0};
    sp_buf_init(&out, SP_ROLLING_FILE_MAX);
    sp_rolling_encode(&rolling->state, &out);
    enum sp_rc rc = out.rc == SP_OK ? sp_sink_write_file(rolling->path, &out, &why) : out.rc;
    sp_buf_release(&out);
    if (rc == SP_OK) {
        return SP_OK;
    }
    int saved = why.saved_errno;
    rc = sp_fail(diag, rc, rolling->path, "cannot remember what the cycle covers: %s",
                 saved ? strerrordesc_np(saved) : sp_rc_str(rc));
    if (diag) {
        diag->saved_errno = saved;
    }
    return rc;
}
