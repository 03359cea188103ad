/* Where images are kept: stores, which are HTTP servers that take PUT and
 * DELETE from whoever has their token, or a directory. */

#ifndef _FCC_STORE_H_INCLUDED_
#define _FCC_STORE_H_INCLUDED_

#include <stdint.h>
#include "cli/fcc.h"

/* Each of a version's stores, one after the other: *at begins as its
 * image's "where".  0: there is no more. */
int fcc_where_next(const char **at, char store[FCF_WHERE_MAX + 1]);

/* Puts the file into each store that lacks it, and says so.  0 if one store
 * has it at least; what is wrong with others is told. */
int fcc_store_put(fcc_t *fcc, const char *path, const char *sha256,
    int64_t size, fcf_err_t *err) fcf_must_check;

/* 1: it has an image of that digest and size; 0: it has not */
int fcc_store_has(fcc_t *fcc, const char *url, const char *sha256,
    int64_t size, fcf_err_t *err) fcf_must_check;

/* prune.c: images of these keys' values (of versions or runtimes), which are
 * not in etcd any more, are removed where no other version is made of them and
 * no runtime is pushed of them; what cannot be is told */
void fcc_prune(fcc_t *fcc, const fcf_kv_t *const *kvs, size_t n);

/* of a store; 0 also if it has none */
int fcc_store_remove(fcc_t *fcc, const char *url, const char *sha256,
    fcf_err_t *err) fcf_must_check;

#endif /* _FCC_STORE_H_INCLUDED_ */
