#include "proxy/portal.h"

#include "base/mem.h"
#include "base/text.h"
#include "proxy/wire_limits.h"

static bool copy_text(struct arena *a, const char *from, const char **to)
{
	*to = from ? arena_strdup(a, from) : NULL;
	return *to || !from;
}

static bool copy_statement(struct arena *a, const struct statement *from, struct statement *to)
{
	*to = *from;
	return copy_text(a, from->text, &to->text) && copy_text(a, from->name, &to->name) && copy_text(a, from->value, &to->value);
}

static bool check_name(const char *what, const char *name, struct error *e)
{
	if (strlen(name) <= SESSION_MAX_NAME)
		return true;
	return fail(e, ERR_TOO_COMPLEX, "name of a %s is longer than %d bytes", what, SESSION_MAX_NAME);
}

struct prepared *prepared_find(const struct portals *p, const char *name)
{
	for (struct prepared *s = p->statements; s; s = s->next) {
		if (text_eq(s->name, name))
			return s;
	}
	return NULL;
}

static void free_prepared(struct prepared *s)
{
	arena_reset(&s->arena);
	mem_free(s);
}

void prepared_drop(struct portals *p, const char *name)
{
	for (struct prepared **at = &p->statements; *at; at = &(*at)->next) {
		if (text_eq((*at)->name, name)) {
			struct prepared *gone = *at;
			*at = gone->next;
			p->n_statements--;
			free_prepared(gone);
			return;
		}
	}
}

void prepared_drop_all(struct portals *p)
{
	while (p->statements)
		prepared_drop(p, p->statements->name);
}

bool prepared_add(struct portals *p, const char *name, const struct statement *st, struct prepared **out, struct error *e)
{
	if (!check_name("prepared statement", name, e))
		return false;
	if (name[0] == '\0')
		prepared_drop(p, name);
	else if (prepared_find(p, name))
		return fail(e, ERR_DUPLICATE_STATEMENT, "prepared statement \"%s\" already exists", name);
	if (p->n_statements >= SESSION_MAX_STATEMENTS) {
		(void)fail(e, ERR_NO_MEMORY, "a session may hold at most %d prepared statements", SESSION_MAX_STATEMENTS);
		return error_hint(e, "Close or DEALLOCATE those that are no longer needed.");
	}
	struct prepared *s = mem_alloc(1, sizeof(*s));
	if (!s)
		return fail_memory(e);
	arena_init(&s->arena, STATEMENT_ARENA_CAP);
	if (!copy_text(&s->arena, name, &s->name) || !copy_statement(&s->arena, st, &s->statement)) {
		free_prepared(s);
		return fail_memory(e);
	}
	s->next = p->statements;
	p->statements = s;
	p->n_statements++;
	*out = s;
	return true;
}

struct portal *portal_find(const struct portals *p, const char *name)
{
	for (struct portal *one = p->portals; one; one = one->next) {
		if (text_eq(one->name, name))
			return one;
	}
	return NULL;
}

static void free_portal(struct portal *one)
{
	arena_reset(&one->arena);
	mem_free(one);
}

void portal_drop(struct portals *p, struct portal *gone)
{
	for (struct portal **at = &p->portals; *at; at = &(*at)->next) {
		if (*at == gone) {
			*at = gone->next;
			p->n_portals--;
			free_portal(gone);
			return;
		}
	}
}

/* Drops those for which gone says so. */
static void drop_where(struct portals *p, bool (*gone)(const struct portal *one, uint64_t serial), uint64_t serial)
{
	for (struct portal **at = &p->portals; *at;) {
		struct portal *one = *at;
		if (!gone(one, serial)) {
			at = &one->next;
			continue;
		}
		*at = one->next;
		p->n_portals--;
		free_portal(one);
	}
}

static bool any(const struct portal *one, uint64_t serial)
{
	(void)one;
	(void)serial;
	return true;
}

static bool is_cursor(const struct portal *one, uint64_t serial)
{
	(void)serial;
	return one->cursor;
}

static bool not_held(const struct portal *one, uint64_t serial)
{
	(void)serial;
	return !one->hold;
}

static bool made_after(const struct portal *one, uint64_t serial)
{
	return one->serial > serial;
}

void portals_drop_all(struct portals *p)
{
	drop_where(p, any, 0);
}

void portals_drop_cursors(struct portals *p)
{
	drop_where(p, is_cursor, 0);
}

void portals_commit(struct portals *p)
{
	drop_where(p, not_held, 0);
	for (struct portal *one = p->portals; one; one = one->next)
		one->serial = 0;
}

void portals_rollback(struct portals *p, uint64_t serial)
{
	drop_where(p, made_after, serial);
}

bool portal_add(struct portals *p, const char *name, const struct statement *st, struct portal **out, struct error *e)
{
	struct portal *same = portal_find(p, name);

	if (!check_name("portal", name, e))
		return false;
	if (same && name[0] == '\0')
		portal_drop(p, same);
	else if (same)
		return fail(e, ERR_DUPLICATE_CURSOR, "cursor \"%s\" already exists", name);
	if (p->n_portals >= SESSION_MAX_PORTALS) {
		(void)fail(e, ERR_NO_MEMORY, "a session may hold at most %d open portals and cursors", SESSION_MAX_PORTALS);
		return error_hint(e, "Close those that are no longer needed.");
	}
	struct portal *one = mem_alloc(1, sizeof(*one));
	if (!one)
		return fail_memory(e);
	arena_init(&one->arena, PORTAL_ARENA_CAP);
	if (!copy_text(&one->arena, name, &one->name) || !copy_statement(&one->arena, st, &one->statement)) {
		free_portal(one);
		return fail_memory(e);
	}
	one->serial = ++p->serial;
	one->next = p->portals;
	p->portals = one;
	p->n_portals++;
	*out = one;
	return true;
}

void portals_free(struct portals *p)
{
	prepared_drop_all(p);
	portals_drop_all(p);
}
