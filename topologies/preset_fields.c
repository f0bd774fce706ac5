/* SPDX-License-Identifier: Apache-2.0
 *
 * The keys of a preset file. See field.h and presets/README.md. */
#include "topologies/preset_fields.h"
#include "topologies/field.h"

#define MAX_LIST 256U

static const struct sp_shape text = {.kind = SP_SHAPE_TEXT};
static const struct sp_shape name = {.kind = SP_SHAPE_NAME};
static const struct sp_shape port = {.kind = SP_SHAPE_PORT};
static const struct sp_shape names = {
    .kind = SP_SHAPE_ONE_OR_LIST, .item = &name, .min = 1, .max = MAX_LIST};
static const struct sp_shape ports = {
    .kind = SP_SHAPE_ONE_OR_LIST, .item = &port, .min = 1, .max = MAX_LIST};

static const struct sp_shape role = {
    .kind = SP_SHAPE_OBJECT,
    .fields = (const struct sp_field[]){
        {"help", &text, true, "who they are"},
        {"hosts", &names, true, "a host whose role or label `role` is one of these has the role"},
        {"else", &name, false, "the role that stands in where nobody has this one"},
        {"needed",
         &(const struct sp_shape){.kind = SP_SHAPE_ENUM,
                                  .values = (const char *const[]){"yes", NULL}},
         false, "warn when nobody has it"},
        {"clusters",
         &(const struct sp_shape){.kind = SP_SHAPE_ENUM,
                                  .values = (const char *const[]){"one", NULL}},
         false, "warn when its hosts belong to more than one cluster"},
        {NULL, NULL, false, NULL}}};

static const struct sp_shape flow = {
    .kind = SP_SHAPE_OBJECT,
    .choice = (const char *const[]){"open", "may", "closed", NULL},
    .exactly_one = true,
    .fields = (const struct sp_field[]){
        {"name", &name, true, "names the line in findings"},
        {"from", &names, true, "roles, or `others`"},
        {"to", &names, true, "roles"},
        {"open", &ports, false, "must work"},
        {"may", &ports, false, "may work"},
        {"closed", &ports, false, "must not work"},
        {"scope",
         &(const struct sp_shape){
             .kind = SP_SHAPE_ENUM,
             .values = (const char *const[]){"same-cluster", "other-clusters", NULL}},
         false, "only inside each cluster, or only between clusters"},
        {"why", &text, true, "what it is for"},
        {"source", &text, true, "which document says so"},
        {NULL, NULL, false, NULL}}};

static const struct sp_shape reserved = {
    .kind = SP_SHAPE_OBJECT,
    .fields = (const struct sp_field[]){{"ports", &ports, true, "not for listeners of balancers"},
                                        {"but", &ports, false, "all the same allowed"},
                                        {"why", &text, true, "who has them"},
                                        {"source", &text, true, "which document says so"},
                                        {NULL, NULL, false, NULL}}};

static const struct sp_shape repository = {
    .kind = SP_SHAPE_OBJECT,
    .fields = (const struct sp_field[]){{"host", &name, true, "its name"},
                                        {"why", &text, true, "what is fetched there"},
                                        {"source", &text, true, "which document says so"},
                                        {NULL, NULL, false, NULL}}};

static const struct sp_shape cluster_names = {
    .kind = SP_SHAPE_OBJECT,
    .fields = (const struct sp_field[]){
        {"pattern",
         &(const struct sp_shape){.kind = SP_SHAPE_ENUM,
                                  .values = (const char *const[]){"dns-label", NULL}},
         true, "what names of clusters must look like"},
        {"why", &text, true, "the reason"},
        {"source", &text, true, "which document says so"},
        {NULL, NULL, false, NULL}}};

const struct sp_shape sp_preset_shape = {
    .kind = SP_SHAPE_OBJECT,
    .fields = (const struct sp_field[]){
        {"preset", &(const struct sp_shape){.kind = SP_SHAPE_INT, .min = 1, .max = 1}, true,
         "the version of this format"},
        {"name", &name, true, "as in `use`"},
        {"summary", &text, true, "one line"},
        {"with", &(const struct sp_shape){.kind = SP_SHAPE_LIST, .item = &name, .max = MAX_LIST},
         false, "the presets that it builds on"},
        {"roles",
         &(const struct sp_shape){
             .kind = SP_SHAPE_MAP, .key = &name, .item = &role, .min = 1, .max = MAX_LIST},
         true, "who takes part"},
        {"flows",
         &(const struct sp_shape){.kind = SP_SHAPE_LIST, .item = &flow, .min = 1, .max = MAX_LIST},
         true, "what must, may and must not work"},
        {"reserved",
         &(const struct sp_shape){.kind = SP_SHAPE_LIST, .item = &reserved, .max = MAX_LIST}, false,
         "ports that balancers should not listen on"},
        {"repositories",
         &(const struct sp_shape){.kind = SP_SHAPE_LIST, .item = &repository, .max = MAX_LIST},
         false, "where images and charts come from"},
        {"cluster_names", &cluster_names, false, "the rule for names of clusters"},
        {NULL, NULL, false, NULL}}};
