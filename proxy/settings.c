#include "proxy/settings.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "base/text.h"
#include "proxy/settings_check.h"
#include "proxy/wire_limits.h"

_Static_assert(SETTING_COUNT <= 64, "changed is a 64-bit mask");

static const struct setting_rule {
	const char *name, *initial;
	enum setting_check check;
	const char *argument;
	unsigned flags;
} rules[SETTING_COUNT] = {
#define X(id, name, initial, check, argument, flags) [SETTING_##id] = { name, initial, check, argument, flags },
#include "proxy/settings.def"
#undef X
};

struct setting_custom {
	struct setting_custom *next;
	char *name, *value; /* value NULL: set once, then reset */
};

/* How to undo one SET. */
struct setting_undo {
	struct setting_undo *next; /* older */
	enum setting_id id;        /* SETTING_COUNT: custom */
	struct setting_custom *custom;
	char *old; /* NULL: the start value */
	bool local;
};

void settings_init(struct settings *s)
{
	*s = (struct settings){ .n_undo = 0 };
}

void settings_free(struct settings *s)
{
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		mem_free(s->start[i]);
		mem_free(s->value[i]);
	}
	for (struct setting_undo *u = s->undo; u;) {
		struct setting_undo *next = u->next;
		mem_free(u->old);
		mem_free(u);
		u = next;
	}
	for (struct setting_custom *c = s->custom; c;) {
		struct setting_custom *next = c->next;
		mem_free(c->name);
		mem_free(c->value);
		mem_free(c);
		c = next;
	}
	settings_init(s);
}

const char *setting_name(enum setting_id id)
{
	return rules[id].name;
}

unsigned setting_flags(enum setting_id id)
{
	return rules[id].flags;
}

const char *settings_get(const struct settings *s, enum setting_id id)
{
	return s->value[id] ? s->value[id] : s->start[id] ? s->start[id] : rules[id].initial;
}

static enum setting_id find(const char *name)
{
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		if (text_eq_nocase(rules[i].name, name))
			return (enum setting_id)i;
	}
	return SETTING_COUNT;
}

/* x.y of letters, digits, underscores, dollars; noisegate.* is ours and fully known. */
static bool is_custom(const char *name)
{
	const char *dot = strchr(name, '.');
	bool good = dot && dot != name && dot[1] != '\0' && strlen(name) < SESSION_MAX_NAME;

	for (const char *p = name; good && *p; p++)
		good = isalnum((unsigned char)*p) || *p == '_' || *p == '.' || *p == '$';
	return good && strncasecmp(name, "noisegate.", 10) != 0;
}

static struct setting_custom *custom_find(const struct settings *s, const char *name)
{
	for (struct setting_custom *c = s->custom; c; c = c->next) {
		if (text_eq_nocase(c->name, name))
			return c;
	}
	return NULL;
}

static bool unknown(const char *name, struct error *e)
{
	const char *names[SETTING_COUNT];

	for (size_t i = 0; i < SETTING_COUNT; i++)
		names[i] = rules[i].name;
	(void)fail(e, ERR_UNKNOWN_SETTING, "unrecognized configuration parameter \"%.100s\"", name);
	const char *nearest = text_nearest(name, names, SETTING_COUNT);
	if (nearest)
		return error_hint(e, "Perhaps you meant \"%s\".", nearest);
	return error_hint(e, "SHOW ALL lists the parameters of this server.");
}

/* Checks value for rule id; a heap copy of its canonical form, or NULL with *e. */
static char *canonical(const struct settings *s, enum setting_id id, const char *value, struct error *e)
{
	struct wr w;
	char *copy = NULL;

	if (strlen(value) > SESSION_MAX_VALUE) {
		(void)(fail(e, ERR_BAD_PARAMETER, "value for parameter \"%s\" is too long", rules[id].name) ||
		       error_hint(e, "It may have %d bytes.", SESSION_MAX_VALUE));
		return NULL;
	}
	wr_init_heap(&w, SESSION_MAX_VALUE * 2);
	if (setting_check(rules[id].check, rules[id].argument, rules[id].name, settings_get(s, id), value, &w, e)) {
		copy = wr_ok(&w) ? mem_strdup(wr_text(&w)) : NULL;
		if (!copy)
			(void)fail_memory(e);
	}
	wr_free(&w);
	return copy;
}

bool settings_know(struct settings *s, enum setting_id id, const char *value)
{
	char *copy = mem_strdup(value);

	if (!copy)
		return false;
	mem_free(s->start[id]);
	s->start[id] = copy;
	return true;
}

bool settings_start(struct settings *s, const char *name, const char *value, struct error *e)
{
	enum setting_id id = find(name);

	if (id == SETTING_COUNT || (rules[id].flags & (SETTING_FIXED | SETTING_LOCAL)))
		return true;
	char *copy = canonical(s, id, value, e);
	if (!copy)
		return false;
	mem_free(s->start[id]);
	s->start[id] = copy;
	return true;
}

static void put_value(struct settings *s, enum setting_id id, struct setting_custom *custom, char *value)
{
	if (custom) {
		mem_free(custom->value);
		custom->value = value;
		return;
	}
	mem_free(s->value[id]);
	s->value[id] = value;
	s->changed |= UINT64_C(1) << id;
}

/* Takes ownership of value (NULL: back to start), remembers how to undo. */
static bool change(struct settings *s, enum setting_id id, struct setting_custom *custom, char *value, bool local, struct error *e)
{
	struct setting_undo *u = s->n_undo < SESSION_MAX_UNDO ? mem_alloc(1, sizeof(*u)) : NULL;

	if (!u) {
		mem_free(value);
		if (s->n_undo >= SESSION_MAX_UNDO)
			return fail(e, ERR_TOO_COMPLEX, "too many SET commands in one transaction");
		return fail_memory(e);
	}
	*u = (struct setting_undo){ .next = s->undo, .id = id, .custom = custom, .local = local };
	/* the present value moves into the record: no copy, no failure */
	if (custom) {
		u->old = custom->value;
		custom->value = NULL;
	} else {
		u->old = s->value[id];
		s->value[id] = NULL;
	}
	s->undo = u;
	s->n_undo++;
	put_value(s, id, custom, value);
	return true;
}

static bool set_custom(struct settings *s, const char *name, const char *value, bool local, struct error *e)
{
	struct setting_custom *c = custom_find(s, name);

	if (value && strlen(value) > SESSION_MAX_VALUE)
		return fail(e, ERR_BAD_PARAMETER, "value for parameter \"%.100s\" is too long", name);
	if (!c) {
		if (s->n_custom >= SESSION_MAX_CUSTOM)
			return fail(e, ERR_TOO_COMPLEX, "too many custom parameters in one session");
		c = mem_alloc(1, sizeof(*c));
		char *copy = c ? mem_strdup(name) : NULL;
		if (!copy) {
			mem_free(c);
			return fail_memory(e);
		}
		*c = (struct setting_custom){ .next = s->custom, .name = copy };
		s->custom = c;
		s->n_custom++;
	}
	char *copy = value ? mem_strdup(value) : NULL;
	if (value && !copy)
		return fail_memory(e);
	return change(s, SETTING_COUNT, c, copy, local, e);
}

bool settings_set(struct settings *s, const char *name, const char *value, bool local, struct error *e)
{
	enum setting_id id = find(name);

	if (id == SETTING_COUNT) {
		if (is_custom(name))
			return set_custom(s, name, value, local, e);
		return unknown(name, e);
	}
	char *copy = NULL;
	if (value) {
		copy = canonical(s, id, value, e);
		if (!copy)
			return false;
	}
	if (rules[id].flags & SETTING_FIXED) {
		bool same = !copy || text_eq(copy, settings_get(s, id));
		mem_free(copy);
		return same || fail(e, ERR_FIXED_SETTING, "parameter \"%s\" cannot be changed", rules[id].name);
	}
	return change(s, id, NULL, copy, local || (rules[id].flags & SETTING_LOCAL), e);
}

bool settings_reset_all(struct settings *s, struct error *e)
{
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		bool keep = rules[i].flags & (SETTING_FIXED | SETTING_LOCAL);
		if (s->value[i] && !keep && !change(s, (enum setting_id)i, NULL, NULL, false, e))
			return false;
	}
	for (struct setting_custom *c = s->custom; c; c = c->next) {
		if (c->value && !change(s, SETTING_COUNT, c, NULL, false, e))
			return false;
	}
	return true;
}

size_t settings_mark(const struct settings *s)
{
	return s->n_undo;
}

static void drop_undo(struct settings *s)
{
	struct setting_undo *u = s->undo;

	s->undo = u->next;
	s->n_undo--;
	mem_free(u->old);
	mem_free(u);
}

void settings_rollback(struct settings *s, size_t mark)
{
	while (s->n_undo > mark) {
		struct setting_undo *u = s->undo;
		put_value(s, u->id, u->custom, u->old);
		u->old = NULL;
		drop_undo(s);
	}
}

/* True when a record newer than u made the same setting's value permanent. */
static bool made_permanent(const struct settings *s, const struct setting_undo *u)
{
	for (const struct setting_undo *newer = s->undo; newer != u; newer = newer->next) {
		if (!newer->local && newer->id == u->id && newer->custom == u->custom)
			return true;
	}
	return false;
}

void settings_commit(struct settings *s)
{
	/* newest first: a local record steps back to what was before it, unless a later SET was meant to stay */
	for (struct setting_undo *u = s->undo; u; u = u->next) {
		if (u->local && !made_permanent(s, u)) {
			put_value(s, u->id, u->custom, u->old);
			u->old = NULL;
		}
	}
	while (s->undo)
		drop_undo(s);
}

bool settings_show(const struct settings *s, const char *name, const char **canonical_name, const char **value, struct error *e)
{
	enum setting_id id = find(name);

	if (id != SETTING_COUNT) {
		*canonical_name = rules[id].name;
		*value = settings_get(s, id);
		return true;
	}
	const struct setting_custom *c = custom_find(s, name);
	if (!c)
		return unknown(name, e);
	*canonical_name = c->name;
	*value = c->value ? c->value : "";
	return true;
}

uint64_t settings_take_changes(struct settings *s)
{
	uint64_t changed = s->changed;

	s->changed = 0;
	return changed;
}

int64_t settings_millis(const struct settings *s, enum setting_id id)
{
	int64_t ms = 0;

	return setting_parse_millis(settings_get(s, id), &ms) ? ms : 0;
}

struct path_list {
	struct arena *arena;
	const char **items;
	size_t n, cap;
};

static bool path_add(void *ctx, const char *schema)
{
	struct path_list *l = ctx;

	if (text_eq(schema, "$user"))
		return true;
	const char **items = arena_grow(l->arena, (void *)l->items, l->n, &l->cap, sizeof(*items));
	char *copy = items ? arena_strdup(l->arena, schema) : NULL;
	if (!copy)
		return false;
	l->items = items;
	l->items[l->n++] = copy;
	return true;
}

bool settings_path(const struct settings *s, struct arena *a, const char *const **out, size_t *n)
{
	struct path_list l = { .arena = a };

	if (!setting_parse_path(settings_get(s, SETTING_SEARCH_PATH), path_add, &l))
		return false;
	*out = l.items;
	*n = l.n;
	return true;
}
