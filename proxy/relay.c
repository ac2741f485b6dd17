#include "proxy/relay.h"

#include "base/text.h"

/* The code with this SQLSTATE, else the nearest of its class. */
static enum err_code code_of(const char *sqlstate)
{
	for (int c = ERR_NONE + 1; c < ERR_COUNT; c++)
		if (text_eq(error_sqlstate((enum err_code)c), sqlstate))
			return (enum err_code)c;
	if (text_starts(sqlstate, "22") || text_starts(sqlstate, "0A"))
		return ERR_BAD_PARAMETER;
	if (text_starts(sqlstate, "25") || text_starts(sqlstate, "42501"))
		return ERR_RULE;
	if (text_starts(sqlstate, "42"))
		return ERR_SYNTAX;
	if (text_starts(sqlstate, "53"))
		return ERR_NO_MEMORY;
	if (text_starts(sqlstate, "54"))
		return ERR_TOO_COMPLEX;
	return ERR_INTERNAL;
}

bool relay_fail(enum talk t, const struct talk_error *te, bool own_text, struct error *e)
{
	switch (t) {
	case TALK_REFUSED:
		fail(e, code_of(te->sqlstate), "%s", te->message);
		if (te->detail[0])
			error_detail(e, "%s", te->detail);
		if (te->hint[0])
			error_hint(e, "%s", te->hint);
		return own_text && te->position > 0 ? error_at(e, te->position) : false;
	case TALK_CANCELLED:
		return fail(e, ERR_CANCELLED, "canceling statement due to user request");
	case TALK_TIMED_OUT:
		return fail(e, ERR_CANCELLED, "canceling statement due to statement timeout");
	case TALK_TOO_LARGE:
		fail(e, ERR_TOO_COMPLEX, "the result is too large");
		return error_hint(e, "Add a LIMIT or select fewer columns.");
	case TALK_NO_MEMORY:
		return fail_memory(e);
	case TALK_OK:
	case TALK_BROKEN:
		break;
	}
	fail(e, ERR_WRONG_STATE, "the catalog sidecar is not available");
	return error_hint(e, "It is being started again; try again in a moment.");
}
