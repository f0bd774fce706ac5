/* SPDX-License-Identifier: Apache-2.0
 *
 * The probe's own file, as a deployer carries it to another host: read once, shared by all hosts.
 */
#ifndef SP_CONTROLLER_IMAGE_H
#define SP_CONTROLLER_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "probe/base/rc.h"

#define SP_IMAGE_MAX_BYTES (256U << 20)

struct sp_image {
    uint8_t *bytes;
    size_t len;
    char sha256[65];
    uint32_t cksum;       /* as cksum(1) prints it (POSIX), for hosts without SHA-256 */
    const char *machine;  /* as `uname -m` says it: "x86_64" */
    const char *machines; /* a shell pattern of the machines it runs on: "x86_64|amd64" */
};

/* Reads an ELF program. */
enum sp_rc sp_image_read(const char *path, struct sp_image **ret_image,
                         struct sp_diag *diag) SP_MUST_CHECK;
/* Fills sha256 and cksum from the bytes. */
enum sp_rc sp_image_sum(struct sp_image *image) SP_MUST_CHECK;
void sp_image_free(struct sp_image *image);

#endif
