/*
 * What stands in the sidecar's database: empty mirror tables made from the policy and nothing else, one role per login, and the second wall
 * behind the planner's allowlist: everything in the instance that runs SQL strings, writes, waits, or tells about other sessions or the host is
 * taken from PUBLIC.  Knows no data; the text depends on the policy only (SPEC G7).
 */
#ifndef NG_PROXY_SIDECAR_SCHEMA_H
#define NG_PROXY_SIDECAR_SCHEMA_H

#include "base/bytes.h"
#include "policies/policy.h"

#define SIDECAR_SUPERUSER "noisegate_sidecar"

enum { SIDECAR_NAME_MAX = 64 };

/* The database's name: the collaboration's, in characters that need no care, never one that exists already. */
void sidecar_database_name(const char *collaboration, char out[SIDECAR_NAME_MAX]);

/* Statements for database "postgres": roles and the database.  Each in its own writer, as CREATE DATABASE stands alone. */
void sidecar_roles_sql(struct wr *w, const struct policy *p);
void sidecar_database_sql(struct wr *w, const struct policy *p);

/* Statements for the collaboration's database: schemas, tables, comments, grants; then the hardening. */
void sidecar_mirror_sql(struct wr *w, const struct policy *p);
const char *sidecar_hardening_sql(void);

#endif
