/* SPDX-License-Identifier: Apache-2.0
 *
 * The JSON Schema (draft 2020-12) of a topology, made from the table that also drives the checks of
 * the loader. topologies/schema/topology.schema.json is its output; a test compares them. What a
 * schema cannot say (names that must exist, CIDRs inside each other) only the loader checks. */
#ifndef SP_TOPOLOGIES_SCHEMA_H
#define SP_TOPOLOGIES_SCHEMA_H

struct sp_buf;

/* Appends the schema as indented JSON with a line break at the end. */
void sp_topology_schema(struct sp_buf *out);

#endif
