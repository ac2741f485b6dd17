#include "proxy/wire_in.h"

#include "base/mem.h"
#include "base/text.h"
#include "proxy/wire_limits.h"

enum frame_status frame_peek(const uint8_t *p, size_t n, uint8_t *type, size_t *body)
{
	struct rd r = rd_of(p, n);
	uint8_t t = rd_u8(&r);
	uint32_t length = rd_u32(&r);

	if (r.bad)
		return FRAME_SHORT;
	if (length < 4 || length > INT32_MAX)
		return FRAME_BAD;
	*type = t;
	*body = length - 4;
	return FRAME_KNOWN;
}

enum frame_status frame_peek_startup(const uint8_t *p, size_t n, size_t *total)
{
	struct rd r = rd_of(p, n);
	uint32_t length = rd_u32(&r);

	if (r.bad)
		return FRAME_SHORT;
	if (length < 8 || length > WIRE_MAX_STARTUP)
		return FRAME_BAD;
	*total = length;
	return FRAME_KNOWN;
}

static bool malformed(struct error *e, const char *what)
{
	return fail(e, ERR_PROTOCOL, "malformed %s message", what);
}

static bool check_text(const char *s, struct error *e)
{
	if (text_utf8(s, strlen(s)))
		return true;
	return fail(e, ERR_NUL_IN_TEXT, "invalid byte sequence for encoding \"UTF8\"");
}

/* One "name value" pair of a startup packet into its place. */
static bool startup_pair(struct arena *a, struct startup_msg *m, size_t *caps, const char *name, const char *value)
{
	if (text_starts(name, "_pq_.")) {
		const char **list = arena_grow(a, (void *)m->unsupported, m->n_unsupported, &caps[0], sizeof(*list));
		if (!list)
			return false;
		list[m->n_unsupported++] = name;
		m->unsupported = list;
		return true;
	}
	if (text_eq(name, "user"))
		m->user = value;
	else if (text_eq(name, "database"))
		m->database = value;
	else if (text_eq(name, "options"))
		m->options = value;
	struct startup_pair *pairs = arena_grow(a, (void *)m->pairs, m->n_pairs, &caps[1], sizeof(*pairs));
	if (!pairs)
		return false;
	pairs[m->n_pairs++] = (struct startup_pair){ .name = name, .value = value };
	m->pairs = pairs;
	return true;
}

bool startup_parse(struct arena *a, struct rd body, struct startup_msg *out, struct error *e)
{
	struct startup_msg m = { .user = "", .database = "", .options = "" };
	size_t caps[2] = { 0, 0 };

	m.major = rd_u16(&body);
	m.minor = rd_u16(&body);
	for (;;) {
		const char *name = rd_cstr(&body);
		if (body.bad)
			return malformed(e, "startup");
		if (name[0] == '\0')
			break;
		const char *value = rd_cstr(&body);
		if (body.bad)
			return malformed(e, "startup");
		if (!check_text(name, e) || !check_text(value, e))
			return false;
		if (!startup_pair(a, &m, caps, name, value))
			return fail_memory(e);
	}
	if (!rd_end(&body))
		return malformed(e, "startup");
	*out = m;
	return true;
}

/* Next word of an options string into w; false at the end.  A backslash takes the next character as it is. */
static bool option_word(const char **at, struct wr *w)
{
	const char *p = *at;

	wr_clear(w);
	while (*p == ' ' || (*p >= '\t' && *p <= '\r'))
		p++;
	if (*p == '\0')
		return false;
	for (; *p != '\0' && *p != ' ' && !(*p >= '\t' && *p <= '\r'); p++) {
		if (*p == '\\' && p[1] != '\0')
			p++;
		wr_u8(w, (uint8_t)*p);
	}
	*at = p;
	return true;
}

static bool option_pair(struct arena *a, const char *text, struct startup_pair *out, struct error *e)
{
	char *name = arena_strdup(a, text);
	char *equals = name ? strchr(name, '=') : NULL;

	if (!name)
		return fail_memory(e);
	if (!equals || equals == name)
		return fail(e, ERR_BAD_PARAMETER, "startup option \"%s\" is not of the form name=value", text);
	*equals = '\0';
	for (char *c = name; *c; c++)
		*c = *c == '-' ? '_' : *c;
	*out = (struct startup_pair){ .name = name, .value = equals + 1 };
	return true;
}

bool startup_options(struct arena *a, const char *options, const struct startup_pair **out, size_t *n, struct error *e)
{
	struct startup_pair *pairs = NULL;
	size_t count = 0, cap = 0;
	const char *at = options;
	struct wr word;

	wr_init(&word, a, WIRE_MAX_STARTUP);
	while (option_word(&at, &word)) {
		const char *text = wr_text(&word);
		if (text_eq(text, "-c")) {
			if (!option_word(&at, &word))
				return fail(e, ERR_BAD_PARAMETER, "startup option -c needs name=value");
			text = wr_text(&word);
		} else if (text_starts(text, "-c") || text_starts(text, "--")) {
			text += 2;
		} else {
			continue; /* other server switches mean nothing here */
		}
		struct startup_pair *more = arena_grow(a, pairs, count, &cap, sizeof(*pairs));
		if (!more || !wr_ok(&word))
			return fail_memory(e);
		pairs = more;
		if (!option_pair(a, text, &pairs[count], e))
			return false;
		count++;
	}
	*out = pairs;
	*n = count;
	return true;
}

bool cancel_parse(struct rd body, struct cancel_msg *out)
{
	struct cancel_msg m;
	uint32_t code = rd_u32(&body);

	m.pid = rd_u32(&body);
	m.key_length = body.left;
	m.key = rd_take(&body, body.left);
	if (!rd_end(&body) || code != WIRE_CODE_CANCEL || m.key_length < 4 || m.key_length > 256)
		return false;
	*out = m;
	return true;
}

bool sasl_initial_parse(struct rd body, struct sasl_initial_msg *out)
{
	struct sasl_initial_msg m = { .data = NULL };

	m.mechanism = rd_cstr(&body);
	uint32_t length = rd_u32(&body);
	if (length != UINT32_MAX) {
		m.length = length;
		m.data = rd_take(&body, length);
	}
	if (!rd_end(&body))
		return false;
	*out = m;
	return true;
}

bool query_parse(struct rd body, const char **sql, struct error *e)
{
	size_t n = body.left;
	const uint8_t *p = rd_take(&body, n);

	if (n == 0 || p[n - 1] != 0)
		return malformed(e, "query");
	if (!text_utf8(p, n - 1))
		return fail(e, ERR_NUL_IN_TEXT, "invalid byte sequence for encoding \"UTF8\"");
	*sql = (const char *)p;
	return true;
}

bool parse_parse(struct arena *a, struct rd body, struct parse_msg *out, struct error *e)
{
	struct parse_msg m;

	m.name = rd_cstr(&body);
	m.sql = rd_cstr(&body);
	m.n_oids = rd_u16(&body);
	if (body.bad || m.n_oids * 4 != body.left)
		return malformed(e, "parse");
	uint32_t *oids = arena_array(a, m.n_oids, uint32_t);
	if (!oids)
		return fail_memory(e);
	for (size_t i = 0; i < m.n_oids; i++)
		oids[i] = rd_u32(&body);
	if (!check_text(m.name, e) || !check_text(m.sql, e))
		return false;
	m.oids = oids;
	*out = m;
	return true;
}

/* A count and as many format codes, each 0 or 1. */
static bool formats_parse(struct arena *a, struct rd *r, const int16_t **out, size_t *n, struct error *e)
{
	size_t count = rd_u16(r);

	if (r->bad || count * 2 > r->left)
		return malformed(e, "bind");
	int16_t *formats = arena_array(a, count, int16_t);
	if (!formats)
		return fail_memory(e);
	for (size_t i = 0; i < count; i++) {
		formats[i] = (int16_t)rd_u16(r);
		if (formats[i] != 0 && formats[i] != 1)
			return fail(e, ERR_BAD_PARAMETER, "unsupported format code: %d", formats[i]);
	}
	*out = formats;
	*n = count;
	return true;
}

static bool param_parse(struct rd *r, bool binary, struct engine_param *out, struct error *e)
{
	int32_t length = rd_i32(r);

	*out = (struct engine_param){ .binary = binary, .length = -1 };
	if (length == -1 && !r->bad)
		return true;
	if (length < 0)
		return malformed(e, "bind");
	out->data = rd_take(r, (size_t)length);
	out->length = length;
	if (r->bad)
		return malformed(e, "bind");
	if (!binary && !text_utf8(out->data, (size_t)length))
		return fail(e, ERR_NUL_IN_TEXT, "invalid byte sequence for encoding \"UTF8\" in a parameter");
	return true;
}

bool bind_parse(struct arena *a, struct rd body, struct bind_msg *out, struct error *e)
{
	struct bind_msg m = { .params = NULL };

	m.portal = rd_cstr(&body);
	m.statement = rd_cstr(&body);
	if (!check_text(m.portal, e) || !check_text(m.statement, e))
		return false;
	if (!formats_parse(a, &body, &m.param_formats, &m.n_param_formats, e))
		return false;
	m.n_params = rd_u16(&body);
	if (body.bad || m.n_params * 4 > body.left)
		return malformed(e, "bind");
	if (m.n_param_formats > 1 && m.n_param_formats != m.n_params)
		return fail(e, ERR_PROTOCOL, "bind message has %zu parameter formats but %zu parameters", m.n_param_formats,
			    m.n_params);
	m.params = arena_array(a, m.n_params, struct engine_param);
	if (!m.params)
		return fail_memory(e);
	for (size_t i = 0; i < m.n_params; i++) {
		int16_t format = m.n_param_formats == 0 ? 0 : m.param_formats[m.n_param_formats == 1 ? 0 : i];
		if (!param_parse(&body, format == 1, &m.params[i], e))
			return false;
	}
	if (!formats_parse(a, &body, &m.formats, &m.n_formats, e))
		return false;
	if (!rd_end(&body))
		return malformed(e, "bind");
	*out = m;
	return true;
}

bool target_parse(struct rd body, struct target_msg *out, struct error *e)
{
	struct target_msg m;

	m.kind = rd_u8(&body);
	m.name = rd_cstr(&body);
	if (!rd_end(&body) || (m.kind != 'S' && m.kind != 'P'))
		return malformed(e, "describe or close");
	if (!check_text(m.name, e))
		return false;
	*out = m;
	return true;
}

bool execute_parse(struct rd body, struct execute_msg *out, struct error *e)
{
	struct execute_msg m;

	m.portal = rd_cstr(&body);
	m.max_rows = rd_u32(&body);
	if (!rd_end(&body))
		return malformed(e, "execute");
	if (m.max_rows > INT32_MAX) /* PostgreSQL reads it signed; not positive means all */
		m.max_rows = 0;
	if (!check_text(m.portal, e))
		return false;
	*out = m;
	return true;
}
