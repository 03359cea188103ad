/*
 * What a request body may hold, as data: one table per resource.  Applying a
 * table checks a body (unknown, missing, wrong type, out of range: the field
 * and the value are named) and makes the object that GET /vm/config shows,
 * with every field in it.
 */

#ifndef _FCV_SCHEMA_H_INCLUDED_
#define _FCV_SCHEMA_H_INCLUDED_

#include <jansson.h>
#include "contract/fcf_err.h"

typedef enum {
    FCV_T_STRING,
    FCV_T_BOOL,
    FCV_T_INT,
    FCV_T_ENUM,
    FCV_T_OBJECT,
    FCV_T_LIST                          /* of OBJECTs */
} fcv_type_e;

typedef struct fcv_field_s  fcv_field_t;

struct fcv_field_s {
    const char         *name;           /* NULL ends a table */
    fcv_type_e          type;
    int                 required;
    long long           min, max;       /* INT */
    const char *const  *names;          /* ENUM, NULL-ended; the first is the
                                           default */
    const fcv_field_t  *fields;         /* OBJECT, and of a LIST */
    int                 hidden;         /* not shown when absent */
    int                 since;          /* 1.x that knows it first; 0: all */
    int                 nullable;       /* BOOL: null is as good as absent */
};

extern const fcv_field_t  fcv_schema_machine[];
extern const fcv_field_t  fcv_schema_machine_patch[];
extern const fcv_field_t  fcv_schema_boot[];
extern const fcv_field_t  fcv_schema_drive[];
extern const fcv_field_t  fcv_schema_nic[];
extern const fcv_field_t  fcv_schema_serial[];
extern const fcv_field_t  fcv_schema_action[];
extern const fcv_field_t  fcv_schema_entropy[];
extern const fcv_field_t  fcv_schema_balloon[];
extern const fcv_field_t  fcv_schema_balloon_patch[];
extern const fcv_field_t  fcv_schema_balloon_stats[];
extern const fcv_field_t  fcv_schema_logger[];
extern const fcv_field_t  fcv_schema_metrics[];
extern const fcv_field_t  fcv_schema_vm[];
extern const fcv_field_t  fcv_schema_drive_patch[];
extern const fcv_field_t  fcv_schema_nic_patch[];
extern const fcv_field_t  fcv_schema_create[];
extern const fcv_field_t  fcv_schema_load[];

/* Returns a new object, or NULL and FCF_E_INVALID.  minor: of the version 1.x
 * that is followed. */
json_t *fcv_schema_apply(const fcv_field_t *fields, int minor, json_t *body,
    fcf_err_t *err);
/* The same from a request's bytes. */
json_t *fcv_schema_parse(const fcv_field_t *fields, int minor,
    const char *data, size_t len, fcf_err_t *err);

/* NULL if the field is absent or null */
const char *fcv_str(const json_t *obj, const char *name);
long long fcv_int(const json_t *obj, const char *name);
int fcv_bool(const json_t *obj, const char *name);

#endif /* _FCV_SCHEMA_H_INCLUDED_ */
