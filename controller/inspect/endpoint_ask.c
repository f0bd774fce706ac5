/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/inspect/endpoint_ask.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "probe/wire/message.h"

static bool locate(const struct sp_model *model, const char *file, char *out, size_t size)
{
    const char *slash = strrchr(model->file, '/');
    int folder = file[0] == '/' || !slash ? 0 : (int)(slash - model->file) + 1;
    int n = snprintf(out, size, "%.*s%s", folder, model->file, file);
    return n > 0 && (size_t)n < size;
}

enum sp_rc sp_endpoint_read_ca(const struct sp_model *model, const struct sp_endpoint *endpoint,
                               struct sp_buf *out, struct sp_diag *diag)
{
    char path[4096];
    char chunk[4096];
    if (!endpoint->ca) {
        return SP_OK;
    }
    if (!locate(model, endpoint->ca, path, sizeof(path))) {
        return sp_fail(diag, SP_E_INVALID, endpoint->ca, "the path is too long");
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return sp_fail_errno(diag, endpoint->ca, "the file of the CA cannot be opened");
    }
    ssize_t n = 0;
    while (out->rc == SP_OK && out->len <= SP_CA_MAX_BYTES &&
           (n = read(fd, chunk, sizeof(chunk))) > 0) {
        sp_buf_add(out, chunk, (size_t)n);
    }
    enum sp_rc rc = out->rc;
    if (rc == SP_OK && n < 0) {
        rc = sp_fail_errno(diag, endpoint->ca, "the file of the CA cannot be read");
    } else if (rc == SP_E_LIMIT || (rc == SP_OK && out->len > SP_CA_MAX_BYTES)) {
        rc = sp_fail(diag, SP_E_LIMIT, endpoint->ca,
                     "the file of the CA is larger than %u bytes: leave only the CAs in it that "
                     "issue for this endpoint",
                     SP_CA_MAX_BYTES);
    } else if (rc == SP_OK && !strstr(sp_buf_text(out), "-----BEGIN CERTIFICATE-----")) {
        rc = sp_fail(diag, SP_E_INVALID, endpoint->ca,
                     "the file of the CA holds no certificate in PEM");
    }
    (void)close(fd); /* only read: nothing can be lost */
    return rc;
}

void sp_endpoint_ask(const struct sp_endpoint *e, uint16_t port, const char *ca, size_t ca_len,
                     struct sp_buf *out)
{
    char text[SP_ADDR_STRLEN];
    sp_fields_add(out, e->addr.family == SP_FAMILY_NONE ? "name" : "addr", e->host);
    for (size_t i = 0; i < e->naddrs; i++) {
        sp_fields_add(out, "addr", sp_addr_str(&e->addrs[i], text));
    }
    sp_fields_add_u64(out, "port", port);
    sp_fields_add_u64(out, "step_ms", e->step_ms);
    for (size_t i = 0; i < e->nservers; i++) {
        sp_fields_add(out, "server", sp_addr_str(&e->servers[i], text));
    }
    if (e->by_udp) {
        sp_fields_add(out, "transport", "udp");
    }
    if (e->by_tcp) {
        sp_fields_add(out, "transport", "tcp");
    }
    if (e->path) {
        sp_fields_add(out, "path", e->path);
    }
    if (!e->is_tls) {
        return;
    }
    sp_fields_add(out, "tls", "1");
    if (e->sni) {
        sp_fields_add(out, "sni", e->sni);
    }
    for (size_t i = 0; i < e->nalpn; i++) {
        sp_fields_add(out, "alpn", e->alpn[i]);
    }
    if (!e->is_clear_allowed) {
        sp_fields_add(out, "clear", "1");
    }
    if (ca_len > 0) {
        sp_fields_add_bytes(out, "ca", ca, ca_len);
    }
}
