/*
 * Fields of JSON objects for the codecs of fcf_codec.h, the etcd client and
 * the agent's records.  Private to those.
 *
 * A getter leaves *out as it is where the field is absent, and refuses a wrong
 * type or value with FCF_E_INVALID and "<field>: <what is wrong>".
 */

#ifndef _FCF_JSON_H_INCLUDED_
#define _FCF_JSON_H_INCLUDED_

#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include "contract/fcf_codec.h"

typedef struct {
    const char  *name;
    int          value;
} fcf_json_enum_t;

/* NULL: not an object, or over FCF_VALUE_MAX; the caller decrefs the rest */
json_t *fcf_json_parse(const char *text, size_t len, fcf_err_t *err);

int fcf_json_int64(const json_t *obj, const char *name, int64_t min,
    int64_t max, int64_t *out, fcf_err_t *err) fcf_must_check;
int fcf_json_int(const json_t *obj, const char *name, int min, int max,
    int *out, fcf_err_t *err) fcf_must_check;
/* buf of size bytes, NUL included; valid may be NULL: any text */
int fcf_json_str(const json_t *obj, const char *name, char *buf, size_t size,
    int (*valid)(const char *s, size_t len), fcf_err_t *err) fcf_must_check;
/* list ends with a NULL name */
int fcf_json_enum(const json_t *obj, const char *name,
    const fcf_json_enum_t *list, int *out, fcf_err_t *err) fcf_must_check;
int fcf_json_required(const json_t *obj, const char *name, fcf_err_t *err)
    fcf_must_check;

/* an array or an object; borrowed, NULL where it is absent */
int fcf_json_child(const json_t *obj, const char *name, json_type type,
    json_t **out, fcf_err_t *err) fcf_must_check;

/* numeric IPv4 or IPv6 */
int fcf_address_valid(const char *s, size_t len);
/* the same with a port or without, as in a URL: an IPv6 one in brackets */
int fcf_authority_valid(const char *p, size_t len);

/* Setters: when out of memory *obj is freed and becomes NULL, and all that
 * follow do nothing, so that only fcf_json_text() has to be checked. */
void fcf_json_put_int(json_t **obj, const char *name, int64_t value);
void fcf_json_put_str(json_t **obj, const char *name, const char *value);
void fcf_json_put(json_t **obj, const char *name, json_t *value);  /* steals */

/* "env" and "secrets", objects of their variables */
void fcf_env_json(const fcf_env_t *env, json_t **obj);
/* wipes what is kept of both, and frees obj, which may be NULL */
void fcf_env_json_free(json_t *obj);

/* one line, malloc'd; frees obj; NULL: out of memory */
char *fcf_json_text(json_t *obj);

#endif /* _FCF_JSON_H_INCLUDED_ */
