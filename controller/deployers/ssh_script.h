/* SPDX-License-Identifier: Apache-2.0
 *
 * What the ssh deployer runs on a host. The command line given to ssh is short and means the same
 * to every login shell (POSIX shells, csh, fish); it reads the script from standard input and lets
 * sh run it. The script reads the probe from the same input, checks and starts it. */
#ifndef SP_CONTROLLER_SSH_SCRIPT_H
#define SP_CONTROLLER_SSH_SCRIPT_H

#include "controller/image.h"
#include "probe/base/buf.h"

/* On its standard output: this, the nonce, a space, then one of the words below. */
#define SP_SSH_MARKER "segproof-"
#define SP_SSH_UP     "up"   /* the script runs */
#define SP_SSH_RUN    "run " /* the probe comes next; then follows how it is privileged */

#define SP_SSH_SCRIPT_MAX (4U << 20)

struct sp_ssh_order {
    const struct sp_image *image;
    const char *nonce;  /* hexadecimal */
    const char *become; /* "sudo" or NULL */
    unsigned limit_s;   /* the upload may take so long */
    char *const *argv;  /* the probe's command line; argv[0] is not used */
};

/* The shortest time that an upload is given: a link of 64 KiB a second still makes it. */
unsigned sp_ssh_upload_s(const struct sp_image *image, uint64_t timeout_ms);
/* Appends the script. */
void sp_ssh_script(const struct sp_ssh_order *order, struct sp_buf *out);
/* Appends the command line that reads a script of so many bytes and runs it. */
void sp_ssh_command(size_t script_len, struct sp_buf *out);

#endif
