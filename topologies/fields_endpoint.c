/* SPDX-License-Identifier: Apache-2.0
 *
 * The keys of an endpoint. See field.h. */
#include "topologies/field.h"

#define MAX_PLACES 32U /* addresses of one endpoint */

static const struct sp_shape text = {.kind = SP_SHAPE_TEXT};
static const struct sp_shape hostname = {.kind = SP_SHAPE_HOSTNAME};
static const struct sp_shape addr = {.kind = SP_SHAPE_ADDR};
static const struct sp_shape port = {.kind = SP_SHAPE_PORTS};
static const struct sp_shape selector = {.kind = SP_SHAPE_SELECTOR};
static const struct sp_shape status = {.kind = SP_SHAPE_INT, .min = 100, .max = 599};
static const struct sp_shape token = {.kind = SP_SHAPE_NAME_LIKE};
static const struct sp_shape transport = {.kind = SP_SHAPE_ENUM,
                                          .values = (const char *const[]){"udp", "tcp", NULL}};

#define TLS_WHAT "`required`, or what is expected of it, such as { sni: gcr.io, min_days: 14 }"
static const struct sp_shape tls = {
    .kind = SP_SHAPE_EITHER,
    .what = TLS_WHAT,
    .item = &(const struct sp_shape){.kind = SP_SHAPE_ENUM,
                                     .what = TLS_WHAT,
                                     .values = (const char *const[]){"required", NULL}},
    .other = &(const struct sp_shape){
        .kind = SP_SHAPE_OBJECT,
        .fields = (const struct sp_field[]){
            {"sni", &hostname, false,
             "the name that is asked for and must be in the certificate; default: the host"},
            {"alpn",
             &(const struct sp_shape){
                 .kind = SP_SHAPE_ONE_OR_LIST, .item = &token, .min = 1, .max = 8},
             false, "protocols that are offered; the server must choose one of them"},
            {"ca", &text, false,
             "system (the default: what the probe's host trusts), or a file of certificates in PEM "
             "on the controller's host; a relative path begins at the topology's folder"},
            {"issuer", &text, false,
             "must be part of the issuer's name, such as O=Google Trust Services"},
            {"min_days", &(const struct sp_shape){.kind = SP_SHAPE_INT, .min = 0, .max = 3650},
             false, "for how many days every certificate must still be valid; default 0"},
            {"cleartext",
             &(const struct sp_shape){.kind = SP_SHAPE_ENUM,
                                      .values = (const char *const[]){"refused", "allowed", NULL}},
             false, "refused (the default): a request in clear must not be answered"},
            {NULL, NULL, false, NULL}}}};

static const struct sp_shape http = {
    .kind = SP_SHAPE_OBJECT,
    .fields = (const struct sp_field[]){
        {"path", &(const struct sp_shape){.kind = SP_SHAPE_REQUEST}, true, "what is asked for"},
        {"status",
         &(const struct sp_shape){
             .kind = SP_SHAPE_ONE_OR_LIST, .item = &status, .min = 1, .max = 32},
         false, "the status that is expected, or several; default 200"},
        {NULL, NULL, false, NULL}}};

static const struct sp_shape dns = {
    .kind = SP_SHAPE_OBJECT,
    .fields = (const struct sp_field[]){
        {"server",
         &(const struct sp_shape){.kind = SP_SHAPE_ONE_OR_LIST, .item = &addr, .min = 1, .max = 4},
         false, "the name servers that are asked; default: those of the probe's host"},
        {"transport",
         &(const struct sp_shape){
             .kind = SP_SHAPE_ONE_OR_LIST, .item = &transport, .min = 1, .max = 2},
         false, "udp (the default), tcp, or both: each must work"},
        {NULL, NULL, false, NULL}}};

const struct sp_shape sp_endpoint_shape = {
    .kind = SP_SHAPE_OBJECT,
    .fields = (const struct sp_field[]){
        {"host", &hostname, true, "its name or address"},
        {"address",
         &(const struct sp_shape){
             .kind = SP_SHAPE_ONE_OR_LIST, .item = &addr, .min = 1, .max = MAX_PLACES},
         false,
         "addresses that are tried beside those of the name; for a closed endpoint whose name is "
         "not known where it must not be reached"},
        {"ports",
         &(const struct sp_shape){.kind = SP_SHAPE_ONE_OR_LIST, .item = &port, .min = 1, .max = 64},
         true, "single TCP ports, or services of such"},
        {"from",
         &(const struct sp_shape){
             .kind = SP_SHAPE_ONE_OR_LIST, .item = &selector, .min = 1, .max = 4096},
         false, "the hosts that look; default: all that have a probe"},
        {"expect",
         &(const struct sp_shape){.kind = SP_SHAPE_ENUM,
                                  .values = (const char *const[]){"open", "closed", NULL}},
         false, "open (the default), or closed: no connection may come about"},
        {"tls", &tls, false, "TLS is spoken there, and nothing else"},
        {"http", &http, false, "an HTTP/1.1 request that must be answered"},
        {"redirects",
         &(const struct sp_shape){
             .kind = SP_SHAPE_ONE_OR_LIST, .item = &hostname, .min = 1, .max = 16},
         false, "hosts that an answer may lead to; they are looked at, too"},
        {"dns", &dns, false, "how its name is looked up"},
        {"timeout", &(const struct sp_shape){.kind = SP_SHAPE_DURATION}, false,
         "for each step of a conversation, 100ms to 60s; default 5s"},
        {"why", &text, false, "the reason, for whoever reads the report"},
        {NULL, NULL, false, NULL}}};
