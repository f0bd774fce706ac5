/* SPDX-License-Identifier: Apache-2.0
 *
 * POSIX sh, tested with dash, bash and busybox. It writes one line "segproof: ..." to standard
 * error when it gives up. */
#include "controller/deployers/ssh_script.h"

#include <string.h>

/* Nothing here may read standard input before the probe does. A folder that was made is in d until
 * it is removed; from the first moment on, the traps remove it. */
static const char *const begin = "umask 077\n"
                                 "LC_ALL=C\n"
                                 "export LC_ALL\n"
                                 "PATH=$PATH:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin\n"
                                 "d= f= way= why=\n"
                                 "say() { printf '%s%s %s\\n' segproof- \"$nonce\" \"$*\"; }\n"
                                 "fail() { echo \"segproof: $*\" >&2; exit 65; }\n"
                                 "has() { command -v \"$1\" >/dev/null 2>&1; }\n"
                                 "clean() {\n"
                                 "    if [ -n \"$d\" ]; then\n"
                                 "        rm -f \"$d/x\" \"$d/segproof-probe\"\n"
                                 "        rmdir \"$d\" 2>/dev/null\n"
                                 "        d=\n"
                                 "    fi\n"
                                 "}\n"
                                 "trap clean 0\n"
                                 "trap 'exit 129' 1\n"
                                 "trap 'exit 130' 2\n"
                                 "trap 'exit 141' 13\n"
                                 "trap 'exit 143' 15\n";

static const char *const check =
    "say up\n"
    "for tool in chmod df id mktemp rm rmdir uname wc; do\n"
    "    has $tool || why=\"$why $tool\"\n"
    "done\n"
    "[ -z \"$why\" ] || fail \"that host lacks the programs it takes to start a probe:$why\"\n"
    "os=$(uname -s) machine=$(uname -m)\n"
    "[ \"$os\" = Linux ] || fail \"that host runs $os; a probe needs Linux\"\n";

/* same FILE: is it the probe that was sent? */
static const char *const checksum =
    "same() {\n"
    "    if has sha256sum; then s=$(sha256sum <\"$1\")\n"
    "    elif has shasum; then s=$(shasum -a 256 <\"$1\")\n"
    "    elif has openssl; then s=$(openssl dgst -sha256 -r <\"$1\")\n"
    "    elif has cksum; then s=$(cksum <\"$1\"); [ \"${s%% *}\" = \"$crc\" ]; return\n"
    "    else fail 'that host has none of sha256sum, shasum, openssl and cksum: the probe cannot "
    "be checked there'\n"
    "    fi\n"
    "    case $s in \"$sha256\"*) return 0 ;; *) return 1 ;; esac\n"
    "}\n";

/* CAP_NET_RAW is bit 13 of the ambient set. */
static const char *const privilege =
    "if [ \"$(id -u)\" = 0 ]; then\n"
    "    way='root login'\n"
    "elif [ \"$become\" = sudo ]; then\n"
    "    has sudo || fail \"sudo is not installed there: install it, or log in as root\"\n"
    "    way=sudo\n"
    "else\n"
    "    for p in /usr/local/libexec/segproof/segproof-probe /usr/libexec/segproof/segproof-probe; "
    "do\n"
    "        if [ -x \"$p\" ] && same \"$p\"; then f=$p way='file capability'; break; fi\n"
    "    done\n"
    "    ambient=\n"
    "    while read -r key value; do\n"
    "        if [ \"$key\" = CapAmb: ]; then ambient=$value; fi\n"
    "    done </proc/self/status\n"
    "    case $f$ambient in\n"
    "    /*) ;;\n"
    "    *[2367abefABEF]??"
    "?) way='inherited capability' ;;\n"
    "    *) fail \"user $(id -un) has no CAP_NET_RAW there: add become: sudo, log in as root, or "
    "install this probe with the capability (segproof-probe(8))\" ;;\n"
    "    esac\n"
    "fi\n";

/* try FOLDER: makes a folder of its own in it if a program may run there and fits. */
static const char *const place =
    "need=$((size / 1024 + 64))\n"
    "try() {\n"
    "    case $d$1 in /*) ;; *) return 0 ;; esac\n"
    "    [ -z \"$d\" ] || return 0\n"
    "    if [ ! -d \"$1\" ]; then why=\"$why, $1: missing\"; return 0; fi\n"
    "    free=$(df -Pk \"$1\" 2>/dev/null | { read -r a; read -r a b c k e; echo \"$k\"; })\n"
    "    case $free in '' | *[!0-9]*) free=$need ;; esac\n"
    "    if [ \"$free\" -lt \"$need\" ]; then\n"
    "        why=\"$why, $1: full ($free KiB free)\"\n"
    "        return 0\n"
    "    fi\n"
    "    if ! d=$(mktemp -d \"$1/segproof.XXXXXXXXXX\" 2>/dev/null); then\n"
    "        d=\n"
    "        why=\"$why, $1: not writable\"\n"
    "    elif ! printf '#!/bin/sh\\nexit 0\\n' 2>/dev/null >\"$d/x\"; then\n"
    "        clean\n"
    "        why=\"$why, $1: full\"\n"
    "    elif chmod 700 \"$d/x\" && \"$d/x\" </dev/null >/dev/null 2>&1; then\n"
    "        rm -f \"$d/x\"\n"
    "    else\n"
    "        clean\n"
    "        why=\"$why, $1: noexec\"\n"
    "    fi\n"
    "}\n"
    "if [ -z \"$f\" ]; then\n"
    "    for folder in \"$XDG_RUNTIME_DIR\" /tmp /var/tmp /dev/shm \"$HOME\"; do\n"
    "        try \"$folder\"\n"
    "    done\n"
    "    [ -n \"$d\" ] || fail \"no folder there in which a program of $need KiB fits and may run "
    "(${why#, })\"\n"
    "fi\n";

/* Exactly size bytes. A connection that is cut without a word must not leave this waiting. */
static const char *const receive =
    "if [ \"$(printf abc | head -c 2 2>/dev/null)\" = ab ]; then get=\"head -c $size\"\n"
    "else get=\"dd bs=1 count=$size\"; fi\n"
    "if has timeout && timeout 5 true 2>/dev/null; then get=\"timeout $limit $get\"; fi\n"
    "if [ -z \"$d\" ]; then\n"
    "    $get >/dev/null 2>&1\n"
    "else\n"
    "    f=$d/segproof-probe\n"
    "    e=$( { $get >\"$f\"; } 2>&1 )\n"
    "    rc=$? e=${e##*: }\n"
    "    got=$(wc -c 2>/dev/null <\"$f\") got=$((${got:-0}))\n"
    "    case $rc in 124 | 143) got=0 rc=124 ;; esac\n"
    "    [ $rc -ne 124 ] || fail \"the probe did not arrive within $limit s: give more --timeout\"\n"
    "    if [ \"$got\" -ne \"$size\" ]; then\n"
    "        [ $rc -eq 0 ] || fail \"the probe could not be written to ${d%/*}: ${e:-no room}\"\n"
    "        fail \"only $got of $size bytes of the probe arrived\"\n"
    "    fi\n"
    "    same \"$f\" || fail \"the probe arrived damaged (its checksum differs): try again\"\n"
    "    chmod 700 \"$f\"\n"
    "    set -- --remove-self \"$@\"\n"
    "fi\n";

static const char *const run = "say run \"$way\"\n"
                               "if [ \"$way\" = sudo ]; then sudo -n -- \"$f\" \"$@\"\n"
                               "else \"$f\" \"$@\"; fi\n"
                               "exit $?\n"
                               "}\n";

/* One word of sh, whatever is in it. */
static void quote(const char *text, struct sp_buf *out)
{
    sp_buf_char(out, '\'');
    for (const char *p = text; *p; p++) {
        if (*p == '\'') {
            sp_buf_str(out, "'\\''");
        } else {
            sp_buf_char(out, *p);
        }
    }
    sp_buf_char(out, '\'');
}

unsigned sp_ssh_upload_s(const struct sp_image *image, uint64_t timeout_ms)
{
    uint64_t seconds = timeout_ms / 1000 + image->len / 65536 + 1;
    return seconds > 86400 ? 86400 : (unsigned)seconds;
}

void sp_ssh_script(const struct sp_ssh_order *order, struct sp_buf *out)
{
    const struct sp_image *image = order->image;
    /* In braces: a script that arrived in part is a syntax error as a whole. */
    sp_buf_fmt(out, "{\nnonce=%s size=%zu sha256=%s crc=%lu limit=%u become=", order->nonce,
               image->len, image->sha256, (unsigned long)image->cksum, order->limit_s);
    quote(order->become ? order->become : "", out);
    sp_buf_char(out, '\n');
    sp_buf_str(out, begin);
    sp_buf_str(out, check);
    sp_buf_fmt(out,
               "case $machine in %s) ;; *) fail \"that host is $machine, this probe is %s: give "
               "the probe of its kind with --probe\" ;; esac\n",
               image->machines, image->machine);
    sp_buf_str(out, checksum);
    sp_buf_str(out, privilege);
    sp_buf_str(out, place);
    sp_buf_str(out, "set --");
    for (size_t i = 1; order->argv[0] && order->argv[i]; i++) {
        sp_buf_char(out, ' ');
        quote(order->argv[i], out);
    }
    sp_buf_char(out, '\n');
    sp_buf_str(out, receive);
    sp_buf_str(out, run);
}

void sp_ssh_command(size_t script_len, struct sp_buf *out)
{
    /* In single quotes and without ', \, ! and newlines, which csh and fish read in their own way.
     * dd reads byte by byte: what follows the script is left for it. */
    sp_buf_fmt(out, "exec sh -c 'eval \"$(dd bs=1 count=%zu 2>/dev/null)\"'", script_len);
}
