#include "budget/pg.h"

#include "base/file.h"
#include "base/mem.h"

enum { PASSWORD_MAX = 4096 };

static bool connect_with(const char *dsn, const char *password, const char *what, PGconn **out, struct error *e)
{
	/* those before dbname may be overridden by the connection string */
	const char *const names[] = { "connect_timeout", "keepalives_idle", "tcp_user_timeout", "dbname", "password", "client_encoding", "application_name", NULL };
	const char *const values[] = { "10", "30", "20000", dsn, password, "UTF8", "noisegate ledger", NULL };
	PGconn *c = PQconnectdbParams(names, values, 1);

	if (PQstatus(c) == CONNECTION_OK) {
		*out = c;
		return true;
	}
	PQfinish(c);
	fail(e, ERR_LEDGER, "could not connect to %s", what);
	return error_hint(e, "Check the connection string and the password in the policy; psql with the same string tells more.");
}

bool pg_open(const char *dsn, const char *password_env, const char *password_file, const char *what, PGconn **out, struct error *e)
{
	char *password = NULL;
	struct arena a;
	size_t n = 0;

	*out = NULL;
	if (password_env) {
		password = getenv(password_env);
		return password ? connect_with(dsn, password, what, out, e)
				: fail(e, ERR_CONFIG, "environment variable \"%s\" with the password of %s is not set", password_env, what);
	}
	if (!password_file)
		return connect_with(dsn, NULL, what, out, e);
	arena_init(&a, 4 * PASSWORD_MAX);
	bool ok = file_read_secret(&a, password_file, PASSWORD_MAX, &password, &n, e);
	if (ok) {
		password[strcspn(password, "\r\n")] = '\0';
		ok = connect_with(dsn, password, what, out, e);
	}
	arena_reset(&a);
	return ok;
}
