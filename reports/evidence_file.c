/* SPDX-License-Identifier: Apache-2.0
 *
 * One finding's packets as a pcapng file: in the order of their times, every packet with a comment
 * of key=value words that says what it is a witness of. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/base/proto.h"
#include "probe/base/table.h"
#include "reports/escape.h"
#include "reports/evidence.h"
#include "reports/group.h"
#include "reports/pcapng.h"

#define SP_COMMENT_MAX 8192U

/* An interface of a host, numbered as it stands in the file. */
struct place {
    uint32_t host;
    const char *iface;
};

struct file {
    const struct sp_summary *summary;
    const struct sp_finding *finding;
    const struct sp_evidence_row **rows; /* by time */
    size_t nrows;
    struct place *places;
    size_t nplaces, cap_places;
    uint16_t linktype;
    struct sp_buf comment;
};

/* key=value; a value with spaces or quotes is put in quotes. Names come from outside. */
static void add_word(struct sp_buf *out, const char *key, const char *value)
{
    struct sp_buf safe;
    sp_buf_init(&safe, SP_COMMENT_MAX);
    sp_escape_terminal(&safe, value);
    const char *text = sp_buf_text(&safe);
    sp_buf_fmt(out, "%s%s=", out->len ? " " : "", key);
    if (text[0] && !strpbrk(text, " \"\\=")) {
        sp_buf_str(out, text);
    } else {
        sp_buf_char(out, '"');
        for (; *text; text++) {
            if (*text == '"' || *text == '\\') {
                sp_buf_char(out, '\\');
            }
            sp_buf_char(out, *text);
        }
        sp_buf_char(out, '"');
    }
    if (safe.rc != SP_OK) {
        out->rc = safe.rc;
    }
    sp_buf_release(&safe);
}

static const char *role_str(uint8_t role)
{
    static const char *const names[SP_KEPT_END] = {[SP_KEPT_SENT] = "sent",
                                                   [SP_KEPT_ARRIVED] = "seen-at",
                                                   [SP_KEPT_ANSWER] = "answer",
                                                   [SP_KEPT_REPLY] = "reply",
                                                   [SP_KEPT_STRAY] = "stray"};
    return role < SP_KEPT_END ? names[role] : "unknown";
}

static const char *comment_of(struct file *file, const struct sp_evidence_packet *packet)
{
    const struct sp_summary *summary = file->summary;
    const struct sp_finding *finding = file->finding;
    const struct sp_model *model = summary->result->model;
    const struct sp_test *test = &summary->result->tests[packet->test];
    struct sp_buf *out = &file->comment;
    char port[SP_PORTSPEC_STRLEN];
    sp_buf_clear(out);
    add_word(out, "check", finding->id);
    add_word(out, "run", summary->result->run_id);
    add_word(out, "role", packet->is_control ? "control" : role_str(packet->role));
    if (packet->is_control) {
        add_word(out, "control", role_str(packet->role));
    }
    add_word(out, "host", sp_model_target_name(model, packet->host));
    add_word(out, "interface", packet->iface);
    add_word(out, "verdict", sp_verdict_str(finding->verdict));
    add_word(out, "expected", sp_expect_str(finding->expect));
    add_word(out, "rule", finding->policy);
    add_word(out, "from", sp_model_target_name(model, finding->from));
    add_word(out, "to", sp_model_target_name(model, finding->to));
    sp_buf_fmt(out, " flow=%s/%s", sp_proto_str(test->proto),
               sp_proto_port_str(test->proto, test->port, port));
    if (test->port_hi > test->port) { /* found alike by a sweep; the packet shows which it is */
        sp_buf_fmt(out, "-%s", sp_proto_port_str(test->proto, test->port_hi, port));
    }
    if (packet->role != SP_KEPT_ANSWER && packet->role != SP_KEPT_REPLY) {
        add_word(out, "injected", packet->by_link ? "link" : "raw");
    }
    sp_buf_fmt(out, " attempt=%u batch=%" PRIu32, (unsigned)packet->attempt, packet->batch);
    return sp_buf_text(out);
}

/* ---- what belongs into the file ---- */

static int by_time(const void *pa, const void *pb)
{
    const struct sp_evidence_row *a = *(const struct sp_evidence_row *const *)pa;
    const struct sp_evidence_row *b = *(const struct sp_evidence_row *const *)pb;
    SP_CMP(a->packet.at_us, b->packet.at_us);
    SP_CMP(a->packet.role, b->packet.role); /* what left stands before what came of it */
    SP_CMP(a, b);
    return 0;
}

/* A control stands for many tests of a finding; it is told once. */
static bool is_same(const struct sp_evidence_row *a, const struct sp_evidence_row *b,
                    const struct sp_evidence *evidence)
{
    const struct sp_evidence_packet *x = &a->packet;
    const struct sp_evidence_packet *y = &b->packet;
    return x->is_control && y->is_control && x->at_us == y->at_us && x->host == y->host &&
           x->role == y->role && x->batch == y->batch && x->attempt == y->attempt &&
           x->len == y->len && strcmp(x->iface, y->iface) == 0 &&
           memcmp(evidence->bytes.data + a->bytes, evidence->bytes.data + b->bytes, x->len) == 0;
}

static enum sp_rc gather(struct file *file)
{
    const struct sp_evidence *evidence = file->summary->result->evidence;
    size_t cap = 0;
    for (size_t i = 0; i < file->finding->nproof; i++) {
        uint32_t row = evidence->first[file->finding->proof[i]];
        for (; row != SP_NO_ROW; row = evidence->rows[row].next) {
            if (sp_grow((void **)&file->rows, file->nrows, &cap, sizeof(*file->rows)) != 0) {
                return SP_E_NOMEM;
            }
            file->rows[file->nrows++] = &evidence->rows[row];
        }
    }
    if (file->nrows == 0) {
        return SP_E_NOTFOUND;
    }
    qsort(file->rows, file->nrows, sizeof(*file->rows), by_time);
    size_t kept = 0;
    for (size_t i = 0; i < file->nrows; i++) {
        bool told = false;
        for (size_t k = kept; k > 0 && !told; k--) {
            if (file->rows[k - 1]->packet.at_us != file->rows[i]->packet.at_us) {
                break;
            }
            told = is_same(file->rows[k - 1], file->rows[i], evidence);
        }
        if (!told) {
            file->rows[kept++] = file->rows[i];
        }
    }
    file->nrows = kept;
    return SP_OK;
}

static uint8_t version_of(const struct sp_evidence *evidence, const struct sp_evidence_row *row)
{
    return (uint8_t)((uint8_t)evidence->bytes.data[row->bytes] >> 4);
}

/* A finding is of one family, and so are its packets, unless something on the path has translated
 * between the two. */
static uint16_t linktype_of(const struct file *file)
{
    const struct sp_evidence *evidence = file->summary->result->evidence;
    uint8_t version = version_of(evidence, file->rows[0]);
    for (size_t i = 1; i < file->nrows; i++) {
        if (version_of(evidence, file->rows[i]) != version) {
            return SP_LINKTYPE_RAW;
        }
    }
    return version == 4 ? SP_LINKTYPE_IPV4 : version == 6 ? SP_LINKTYPE_IPV6 : SP_LINKTYPE_RAW;
}

/* The number of a packet's interface; it is made when it is new. Of LINKTYPE_RAW there is one only,
 * see pcapng.h; then the packets' comments alone tell host and interface. */
static enum sp_rc place_of(struct file *file, const struct sp_evidence_packet *packet,
                           uint32_t *ret_number)
{
    for (size_t i = 0; i < file->nplaces; i++) {
        bool same = file->places[i].host == packet->host &&
                    strcmp(file->places[i].iface, packet->iface) == 0;
        if (same || file->linktype == SP_LINKTYPE_RAW) {
            *ret_number = (uint32_t)i;
            return SP_OK;
        }
    }
    if (sp_grow((void **)&file->places, file->nplaces, &file->cap_places, sizeof(*file->places)) !=
        0) {
        return SP_E_NOMEM;
    }
    *ret_number = (uint32_t)file->nplaces;
    file->places[file->nplaces++] = (struct place){packet->host, packet->iface};
    return SP_OK;
}

/* ---- writing ---- */

static void write_section(struct file *file, struct sp_buf *out)
{
    const struct sp_model *model = file->summary->result->model;
    struct sp_buf *comment = &file->comment;
    sp_buf_clear(comment);
    add_word(comment, "run", file->summary->result->run_id);
    add_word(comment, "topology", model->name ? model->name : "");
    add_word(comment, "topology_sha256", model->sha256);
    add_word(comment, "version", SP_VERSION);
    add_word(comment, "check", file->finding->id);
    add_word(comment, "verdict", sp_verdict_str(file->finding->verdict));
    add_word(comment, "times",
             "the controller's clock when it told the probes to fire, and each host's own time "
             "since then; hosts may be apart by as long as that order took to reach them");
    sp_pcapng_section(out, "segproof " SP_VERSION, sp_buf_text(comment));
    if (comment->rc != SP_OK) {
        out->rc = comment->rc;
    }
}

static void write_interfaces(struct file *file, struct sp_buf *out)
{
    if (file->linktype == SP_LINKTYPE_RAW) {
        sp_pcapng_interface(out, "all", "every probe: the comments of the packets tell which",
                            file->linktype, SP_KEPT_MAX_BYTES);
        return;
    }
    for (size_t i = 0; i < file->nplaces; i++) {
        const char *host = sp_model_target_name(file->summary->result->model, file->places[i].host);
        struct sp_buf name;
        sp_buf_init(&name, SP_COMMENT_MAX);
        sp_escape_terminal(&name, host);
        sp_buf_char(&name, ':');
        sp_escape_terminal(&name, file->places[i].iface);
        sp_buf_clear(&file->comment);
        sp_buf_str(&file->comment, "segproof's probe on ");
        sp_escape_terminal(&file->comment, host);
        sp_buf_str(&file->comment, ": what its capture saw, before the host's firewall");
        sp_pcapng_interface(out, sp_buf_text(&name), sp_buf_text(&file->comment), file->linktype,
                            SP_KEPT_MAX_BYTES);
        if (name.rc != SP_OK || file->comment.rc != SP_OK) {
            out->rc = name.rc != SP_OK ? name.rc : file->comment.rc;
        }
        sp_buf_release(&name);
    }
}

static enum sp_rc write_file(struct file *file, struct sp_buf *out)
{
    const struct sp_evidence *evidence = file->summary->result->evidence;
    uint32_t number = 0;
    file->linktype = linktype_of(file);
    for (size_t i = 0; i < file->nrows; i++) {
        enum sp_rc rc = place_of(file, &file->rows[i]->packet, &number);
        if (rc != SP_OK) {
            return rc;
        }
    }
    write_section(file, out);
    write_interfaces(file, out);
    for (size_t i = 0; i < file->nrows && out->rc == SP_OK; i++) {
        const struct sp_evidence_packet *packet = &file->rows[i]->packet;
        enum sp_rc rc = place_of(file, packet, &number);
        if (rc != SP_OK) {
            return rc;
        }
        const struct sp_pcapng_packet block = {
            .interface = number,
            .at_ns = packet->at_us * 1000,
            .bytes = (const uint8_t *)evidence->bytes.data + file->rows[i]->bytes,
            .len = packet->len,
            .wire_len = packet->wire_len > packet->len ? packet->wire_len : packet->len,
            .is_outbound = packet->role == SP_KEPT_SENT || packet->role == SP_KEPT_REPLY,
            .comment = comment_of(file, packet)};
        sp_pcapng_packet(out, &block);
        if (file->comment.rc != SP_OK) {
            return file->comment.rc;
        }
    }
    return out->rc;
}

enum sp_rc sp_evidence_render(const struct sp_summary *summary, const struct sp_finding *finding,
                              struct sp_buf *out)
{
    struct file file = {.summary = summary, .finding = finding};
    if (!summary->result->evidence) {
        return SP_E_NOTFOUND;
    }
    sp_buf_init(&file.comment, SP_COMMENT_MAX);
    enum sp_rc rc = gather(&file);
    if (rc == SP_OK) {
        rc = write_file(&file, out);
    }
    sp_buf_release(&file.comment);
    sp_free(file.places);
    sp_free((void *)file.rows);
    return rc;
}
