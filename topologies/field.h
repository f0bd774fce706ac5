/* SPDX-License-Identifier: Apache-2.0
 *
 * The one table of every key a topology may have. It drives the checks of the loader (validate.c)
 * and the published JSON Schema (schema.c); build.c reads the values after the checks. To add a
 * key: a line here (fields.c), a line in the build_*.c that reads it, and the schema made anew. */
#ifndef SP_TOPOLOGIES_FIELD_H
#define SP_TOPOLOGIES_FIELD_H

#include "topologies/node.h"

enum sp_shape_kind {
    /* one word or number */
    SP_SHAPE_TEXT,
    SP_SHAPE_NAME,
    SP_SHAPE_LABEL_KEY,
    SP_SHAPE_LABEL_VALUE,
    SP_SHAPE_ENUM,
    SP_SHAPE_INT,
    SP_SHAPE_RATIO,
    SP_SHAPE_ADDR,
    SP_SHAPE_VIP, /* an address, or `pending` */
    SP_SHAPE_PREFIX,
    SP_SHAPE_PORT,  /* a port specification */
    SP_SHAPE_PORTS, /* a port specification or the name of a service */
    SP_SHAPE_DURATION,
    SP_SHAPE_DATE,
    SP_SHAPE_SELECTOR,
    SP_SHAPE_SSH_TARGET,
    SP_SHAPE_INTERFACE,
    SP_SHAPE_FLAG,    /* true or false */
    SP_SHAPE_VERSION, /* ">=5.15", or a whole release */
    SP_SHAPE_SIZE,    /* "4GiB" */
    SP_SHAPE_PERCENT, /* "20%" */
    SP_SHAPE_RANGE,   /* of ports, "32768-60999" */
    SP_SHAPE_DISK,    /* an absolute path, or "provider" */
    SP_SHAPE_PATH,    /* of an HTTP request */
    SP_SHAPE_MAC,
    SP_SHAPE_SCALARS, /* how many kinds of scalars there are */
    /* made of others */
    SP_SHAPE_OBJECT = SP_SHAPE_SCALARS, /* declared keys */
    SP_SHAPE_MAP,                       /* any key of shape `key`, values of shape `item` */
    SP_SHAPE_LIST,                      /* of `item` */
    SP_SHAPE_ONE_OR_LIST,               /* an `item`, or a list of them */
    SP_SHAPE_EITHER,                    /* `item` or `other`; the kind of node tells which */
};

/* A key of an object. */
struct sp_field {
    const char *name;
    const struct sp_shape *shape;
    bool is_required;
    const char *help; /* one sentence, goes into the schema */
};

struct sp_shape {
    enum sp_shape_kind kind;
    const char *what;              /* in messages: "must be <what>"; NULL = of the kind */
    const char *const *values;     /* ENUM: ends with NULL */
    const struct sp_field *fields; /* OBJECT: ends with {NULL} */
    const char *const *choice;     /* OBJECT: of these keys at least one; ends with NULL */
    const struct sp_shape *key;    /* MAP */
    const struct sp_shape *item, *other;
    uint64_t min, max; /* INT: the value; LIST, ONE_OR_LIST, MAP: how many */
    bool exactly_one;  /* of choice */
};

/* What is common to a kind of scalar. */
struct sp_scalar_kind {
    const char *what;    /* "an IPv4 or IPv6 address such as 10.0.0.1 or fd00::1" */
    const char *pattern; /* ECMA 262, for the schema; NULL = none */
    /* NULL, or fills why (words that follow the value, or nothing) and returns false. */
    bool (*is_valid)(const struct sp_shape *shape, const char *text, struct sp_diag *why);
};
const struct sp_scalar_kind *sp_scalar_kind(enum sp_shape_kind kind);

/* The whole document. */
extern const struct sp_shape sp_topology_shape;
/* A part of it: what is declared of nodes (fields_floor.c). */
extern const struct sp_shape sp_floor_shape;

/* Reports every deviation of the tree from the shape, and marks what is bad. */
void sp_validate(const struct sp_shape *shape, struct sp_node *node, struct sp_problems *problems);

/* "0.3" as a number; only digits and one dot. False when it is not one. */
bool sp_parse_ratio(const char *text, double *ret_value);
/* "02:00:5e:10:00:01" as its 48 bits; false when it is none, or one of a group, or all zero. */
bool sp_parse_mac(const char *text, uint64_t *ret_value);

#endif
