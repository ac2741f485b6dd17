/* Between store.c and store_schema.c: making the tables, and bringing older ones up to date. */
#ifndef NG_BUDGET_STORE_PARTS_H
#define NG_BUDGET_STORE_PARTS_H

#include "budget/store.h"

/* SQL that makes an empty ledger with this identity in a new SQLite file. */
void store_schema_sqlite(struct wr *w, const uint8_t id[LEDGER_ID_SIZE]);

/* Whose file it is and which version; older versions are brought up to date in one transaction, newer ones refused. */
MUST_CHECK bool store_migrate_sqlite(struct store *s, struct error *e);

/* The same for a PostgreSQL schema, which is made when it is missing; any number of proxies may do so at once. */
MUST_CHECK bool store_migrate_postgres(struct store *s, const struct policy_ledger *where, struct error *e);

/* The version that the head of the chain names. */
MUST_CHECK bool store_version(struct store *s, int64_t *version, struct error *e);

/* The charges of a version 1 ledger, moved aside as v1_charge, oldest first; their hashes are unset. */
MUST_CHECK bool store_version_1(struct store *s, entry_each *each, void *ctx, struct error *e);

#endif
