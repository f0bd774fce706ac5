/* SPDX-License-Identifier: Apache-2.0
 *
 * The question that a probe is asked of one port of an endpoint (probe/caller/call.h). */
#ifndef SP_CONTROLLER_ENDPOINT_ASK_H
#define SP_CONTROLLER_ENDPOINT_ASK_H

#include "probe/base/buf.h"
#include "topologies/endpoint.h"

/* Of the file of a CA: it travels inside a question. */
#define SP_CA_MAX_BYTES 40000U

/* The file of the endpoint's CA into out; a relative path begins at the topology's folder. Nothing
 * where none is declared. */
enum sp_rc sp_endpoint_read_ca(const struct sp_model *model, const struct sp_endpoint *endpoint,
                               struct sp_buf *out, struct sp_diag *diag) SP_MUST_CHECK;
/* ca_len 0: the trust store of the probe's host. A failure is in out->rc. */
void sp_endpoint_ask(const struct sp_endpoint *endpoint, uint16_t port, const char *ca,
                     size_t ca_len, struct sp_buf *out);

#endif
