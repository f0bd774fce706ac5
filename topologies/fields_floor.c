/* SPDX-License-Identifier: Apache-2.0
 *
 * The keys below `nodes`. See field.h. */
#include "topologies/field.h"

#define MAX_LIST 256U

static const struct sp_shape flag = {.kind = SP_SHAPE_FLAG};
static const struct sp_shape name = {.kind = SP_SHAPE_NAME};
static const struct sp_shape text = {.kind = SP_SHAPE_TEXT};
static const struct sp_shape port = {.kind = SP_SHAPE_PORT};
static const struct sp_shape version = {.kind = SP_SHAPE_VERSION};
static const struct sp_shape disk = {.kind = SP_SHAPE_DISK};

static const struct sp_shape names = {
    .kind = SP_SHAPE_ONE_OR_LIST, .item = &name, .min = 1, .max = 32};
static const struct sp_shape texts = {
    .kind = SP_SHAPE_ONE_OR_LIST, .item = &text, .min = 1, .max = 32};

static const struct sp_shape kube_bench = {
    .kind = SP_SHAPE_EITHER,
    .what = "a file, or { file: ..., allow: [...] }",
    .item = &text,
    .other = &(const struct sp_shape){
        .kind = SP_SHAPE_OBJECT,
        .fields = (const struct sp_field[]){
            {"file", &text, true, "what `kube-bench --json` wrote on the node"},
            {"allow",
             &(const struct sp_shape){
                 .kind = SP_SHAPE_ONE_OR_LIST, .item = &name, .min = 1, .max = MAX_LIST},
             false, "the numbers of items that may fail, such as 4.2.6"},
            {NULL, NULL, false, NULL}}}};

const struct sp_shape sp_floor_shape = {
    .kind = SP_SHAPE_OBJECT,
    .fields = (const struct sp_field[]){
        {"kernel",
         &(const struct sp_shape){
             .kind = SP_SHAPE_ONE_OR_LIST, .item = &version, .min = 1, .max = 32},
         false, "a floor such as \">=5.15\", or releases of which it must be one"},
        {"os", &names, false,
         "the systems of which it must be one, as ID-VERSION_ID of os-release: debian-12"},
        {"fips", &flag, false, "whether the kernel must be in FIPS mode"},
        {"lockdown",
         &(const struct sp_shape){
             .kind = SP_SHAPE_ENUM,
             .values = (const char *const[]){"none", "integrity", "confidentiality", NULL}},
         false, "the kernel's lockdown, at least"},
        {"lsm", &names, false, "security modules that must be active and not permissive"},
        {"lsm_label", &texts, false,
         "the labels of which the probe's own must be one, or `confined`: any that confines it"},
        {"mitigations", &flag, false,
         "true: the processor is not vulnerable to anything the kernel knows"},
        {"virtualisation",
         &(const struct sp_shape){.kind = SP_SHAPE_ENUM,
                                  .values = (const char *const[]){"physical", "virtual", NULL}},
         false, "what kind of machine it must be"},
        {"memory", &(const struct sp_shape){.kind = SP_SHAPE_SIZE}, false,
         "memory that the kernel has, at least (MemTotal), such as 4GiB"},
        {"cpus", &(const struct sp_shape){.kind = SP_SHAPE_INT, .min = 1, .max = 65535}, false,
         "processors, at least"},
        {"disk_encryption",
         &(const struct sp_shape){.kind = SP_SHAPE_ONE_OR_LIST, .item = &disk, .min = 1, .max = 16},
         false,
         "paths that must lie on devices that the host encrypts, or `provider`: somebody else does, "
         "and no probe can see it"},
        {"listeners",
         &(const struct sp_shape){
             .kind = SP_SHAPE_ONE_OR_LIST, .item = &port, .min = 0, .max = MAX_LIST},
         false, "the only tcp and udp ports on which something may listen beyond loopback"},
        {"sshd", &flag, false, "whether an ssh server must listen, or must not"},
        {"rp_filter",
         &(const struct sp_shape){.kind = SP_SHAPE_ENUM,
                                  .values = (const char *const[]){"strict", "loose", "off", NULL}},
         false, "reverse-path filter of every interface; loose: at least that"},
        {"forwarding", &flag, false, "whether it must forward packets between interfaces"},
        {"conntrack_free", &(const struct sp_shape){.kind = SP_SHAPE_PERCENT}, false,
         "how much of the table of connections must be free, such as 20%"},
        {"port_range", &(const struct sp_shape){.kind = SP_SHAPE_RANGE}, false,
         "ports from which the kernel may choose those of clients, such as 32768-60999"},
        {"public_address", &flag, false, "whether it must have a public address, or must not"},
        {"zone", &names, false,
         "the zones of which it must say that it is in one; `network`: the one of its network"},
        {"modules", &names, false, "kernel modules that must be loaded or built in"},
        {"drift",
         &(const struct sp_shape){
             .kind = SP_SHAPE_ONE_OR_LIST,
             .item =
                 &(const struct sp_shape){
                     .kind = SP_SHAPE_ENUM,
                     .values =
                         (const char *const[]){"none", "kernel", "os", "fips", "lockdown", "lsm",
                                               "mitigations", "virtualisation", "memory", "cpus",
                                               "modules", "port_range", "forwarding", NULL}},
             .min = 1,
             .max = 12},
         false,
         "facts that must be equal on all of these hosts; `none`: kernel, os, fips, lockdown, lsm "
         "and mitigations"},
        {"kube_bench", &kube_bench, false, "results of kube-bench, of which no item may fail"},
        {NULL, NULL, false, NULL}}};
