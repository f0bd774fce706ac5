/* SPDX-License-Identifier: Apache-2.0
 *
 * Result codes and diagnostics.
 * A function that can fail returns enum sp_rc and, if the caller passed a diag, fills in words for
 * people. A diag lives on the caller's stack and never allocates, so it works when memory is out.
 */
#ifndef SP_BASE_RC_H
#define SP_BASE_RC_H

#include "probe/base/attr.h"

enum sp_rc {
    SP_OK = 0,
    SP_E_NOMEM,    /* memory is out */
    SP_E_SYSTEM,   /* a system call failed; saved_errno tells */
    SP_E_INVALID,  /* the input is not what it must be */
    SP_E_PROTOCOL, /* the peer broke the wire protocol */
    SP_E_LIMIT,    /* a named maximum was reached */
    SP_E_DENIED,   /* policy or privilege forbids it */
    SP_E_NOTFOUND, /* the thing named does not exist */
    SP_E_TIMEOUT,  /* a deadline passed */
};

struct sp_diag {
    int saved_errno;
    char where[96]; /* the place: a JSON pointer, a file, a host */
    char text[320]; /* what is wrong and what to do */
};

/* Fills *diag (may be NULL) and returns rc, so that `return sp_fail(diag, rc, where, fmt, ...)`
 * reads well. where and the arguments may point into *diag: that is how context is added. */
enum sp_rc sp_fail(struct sp_diag *diag, enum sp_rc rc, const char *where, const char *fmt, ...)
    SP_PRINTF(4, 5);

/* The same for a failed system call: appends strerror(errno) and keeps errno. */
enum sp_rc sp_fail_errno(struct sp_diag *diag, const char *where, const char *fmt, ...)
    SP_PRINTF(3, 4);

#ifdef __clang_analyzer__
/* The static analyzer sees one file at a time: without this it follows paths on which these return
 * SP_OK. */
/* NOLINTBEGIN(readability-identifier-naming) */
#define sp_fail(diag, rc, ...)   ((void)(sp_fail)(diag, rc, __VA_ARGS__), (rc))
#define sp_fail_errno(diag, ...) ((void)(sp_fail_errno)(diag, __VA_ARGS__), SP_E_SYSTEM)
/* NOLINTEND(readability-identifier-naming) */
#endif

/* A short English name of a code ("out of memory"); never NULL. */
const char *sp_rc_str(enum sp_rc rc);

#endif
