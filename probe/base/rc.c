/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/base/rc.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void fill(struct sp_diag *diag, const char *where, const char *fmt, va_list ap)
    SP_PRINTF(3, 0);

/* Formats beside the diag first: a caller that adds context passes the diag's own texts back in. */
static void fill(struct sp_diag *diag, const char *where, const char *fmt, va_list ap)
{
    struct sp_diag made;
    (void)snprintf(made.where, sizeof(made.where), "%s", where ? where : "");
    (void)vsnprintf(made.text, sizeof(made.text), fmt, ap);
    memcpy(diag->where, made.where, sizeof(made.where));
    memcpy(diag->text, made.text, sizeof(made.text));
}

/* The parentheses keep the macros of the static analyzer (rc.h) away. */
enum sp_rc(sp_fail)(struct sp_diag *diag, enum sp_rc rc, const char *where, const char *fmt, ...)
{
    if (diag) {
        va_list ap;
        va_start(ap, fmt);
        diag->saved_errno = 0;
        fill(diag, where, fmt, ap);
        va_end(ap);
    }
    return rc;
}

enum sp_rc(sp_fail_errno)(struct sp_diag *diag, const char *where, const char *fmt, ...)
{
    int saved = errno;
    if (diag) {
        va_list ap;
        va_start(ap, fmt);
        diag->saved_errno = saved;
        fill(diag, where, fmt, ap);
        va_end(ap);
        size_t len = strlen(diag->text);
        const char *words = strerrordesc_np(saved);
        (void)snprintf(diag->text + len, sizeof(diag->text) - len, ": %s",
                       words ? words : "unknown error");
    }
    return saved == ENOMEM ? SP_E_NOMEM : SP_E_SYSTEM;
}

const char *sp_rc_str(enum sp_rc rc)
{
    switch (rc) {
    case SP_OK:
        return "success";
    case SP_E_NOMEM:
        return "out of memory";
    case SP_E_SYSTEM:
        return "system call failed";
    case SP_E_INVALID:
        return "invalid input";
    case SP_E_PROTOCOL:
        return "protocol error";
    case SP_E_LIMIT:
        return "limit reached";
    case SP_E_DENIED:
        return "not permitted";
    case SP_E_NOTFOUND:
        return "not found";
    case SP_E_TIMEOUT:
        return "timed out";
    }
    return "unknown error";
}
