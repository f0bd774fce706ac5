/* SPDX-License-Identifier: Apache-2.0
 *
 * The names in a topology, for completion. It reads the document, not the model: a topology that is
 * being written is often wrong, and its names are wanted all the same. */
#include <string.h>
#include <sys/stat.h>

#include "controller/commands/complete.h"
#include "probe/base/mem.h"
#include "topologies/loader.h"
#include "topologies/node.h"

/* Who presses a key does not wait for more than this to be read. */
#define SP_COMPLETE_MAX_BYTES (16U << 20)

/* What names and labels are made of (scalar.c), so nothing that a shell would look at. */
static bool is_plain(const char *text)
{
    return text && text[0] &&
           text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                             "0123456789_.:/@+-")] == '\0';
}

/* Not a device or a pipe, where reading would wait. */
static bool is_small_file(const char *file)
{
    struct stat st;
    return stat(file, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= SP_COMPLETE_MAX_BYTES;
}

static enum sp_rc read_document(const char *file, struct sp_doc *ret_doc)
{
    struct sp_problems problems = {0};
    struct sp_buf text;
    sp_buf_init(&text, SP_TOPOLOGY_MAX_BYTES);
    enum sp_rc rc =
        is_small_file(file) ? sp_topology_read(file, &text, &problems, NULL) : SP_E_NOTFOUND;
    if (rc == SP_OK) {
        rc = sp_doc_parse(sp_buf_text(&text), text.len, ret_doc, &problems);
    }
    sp_buf_release(&text);
    sp_problems_release(&problems);
    return rc;
}

static void add_keys(const struct sp_node *root, const char *section, const char *kind,
                     struct sp_buf *out)
{
    const struct sp_node *mapping = sp_node_get(root, section);
    const struct sp_node *node =
        mapping && mapping->kind == SP_NODE_MAPPING ? mapping->first : NULL;
    for (; node; node = node->next) {
        if (is_plain(node->key)) {
            sp_buf_fmt(out, "%s\t%s\n", node->key, kind);
        }
    }
}

/* Adds a line unless an equal one stands behind start already. */
static void add_once(struct sp_buf *out, size_t start, const char *key, const char *value)
{
    struct sp_buf line;
    sp_buf_init(&line, 4096);
    sp_buf_fmt(&line, "\nlabel:%s=%s\tlabel\n", key, value);
    if (line.rc == SP_OK && out->rc == SP_OK && !strstr(sp_buf_text(out) + start, line.data)) {
        sp_buf_str(out, line.data + 1);
    }
    sp_buf_release(&line);
}

static void add_labels(const struct sp_node *root, struct sp_buf *out)
{
    const struct sp_node *hosts = sp_node_get(root, "hosts");
    const struct sp_node *host = hosts && hosts->kind == SP_NODE_MAPPING ? hosts->first : NULL;
    size_t start = out->len ? out->len - 1 : 0; /* at the end of a line */
    for (; host; host = host->next) {
        const struct sp_node *labels =
            host->kind == SP_NODE_MAPPING ? sp_node_get(host, "labels") : NULL;
        const struct sp_node *label =
            labels && labels->kind == SP_NODE_MAPPING ? labels->first : NULL;
        for (; label; label = label->next) {
            if (label->kind == SP_NODE_SCALAR && is_plain(label->key) && is_plain(label->text)) {
                add_once(out, start, label->key, label->text);
            }
        }
    }
}

void sp_complete_selectors(const char *file, struct sp_buf *out)
{
    static const char *const sections[][2] = {{"networks", "network"},
                                              {"hosts", "host"},
                                              {"groups", "group"},
                                              {"load_balancers", "balancer"}};
    struct sp_doc doc = {0};
    if (read_document(file, &doc) == SP_OK && doc.root && doc.root->kind == SP_NODE_MAPPING) {
        for (size_t i = 0; i < SP_ARRAY_LEN(sections); i++) {
            add_keys(doc.root, sections[i][0], sections[i][1], out);
        }
        add_labels(doc.root, out);
    }
    sp_doc_release(&doc);
}

void sp_complete_services(const char *file, struct sp_buf *out)
{
    struct sp_doc doc = {0};
    if (read_document(file, &doc) == SP_OK && doc.root && doc.root->kind == SP_NODE_MAPPING) {
        add_keys(doc.root, "services", "service", out);
    }
    sp_doc_release(&doc);
}
