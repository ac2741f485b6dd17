#include "proxy/settings_check.h"

#include "base/mem.h"
#include "base/number.h"
#include "base/text.h"
#include "base/units.h"
#include "proxy/wire_limits.h"

#include <dirent.h>
#include <strings.h>
#include <sys/stat.h>

#define ZONE_FILES "/usr/share/zoneinfo"
enum { NAME_BYTES = 63, ZONE_PATH_BYTES = 256 };

static bool refuse(struct error *e, const char *name, const char *value)
{
	return fail(e, ERR_BAD_PARAMETER, "invalid value for parameter \"%s\": \"%.100s\"", name, value);
}

static bool check_bool(const char *name, const char *value, struct wr *out, struct error *e)
{
	static const char *const yes[] = { "on", "true", "yes", "1", "t", "y", "tr", "tru", "ye" };
	static const char *const no[] = { "off", "false", "no", "0", "f", "n", "of", "fa", "fal", "fals" };

	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		if (text_eq_nocase(value, yes[i])) {
			wr_str(out, "on");
			return true;
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(no); i++) {
		if (text_eq_nocase(value, no[i])) {
			wr_str(out, "off");
			return true;
		}
	}
	(void)fail(e, ERR_BAD_PARAMETER, "parameter \"%s\" requires a Boolean value", name);
	return error_hint(e, "Write on or off.");
}

static bool check_enum(const char *list, const char *name, const char *value, struct wr *out, struct error *e)
{
	size_t length = strlen(value);

	for (const char *p = list; length > 0;) {
		size_t n = strcspn(p, "|");
		if (n == length && strncasecmp(p, value, n) == 0) {
			wr_put(out, p, n);
			return true;
		}
		if (p[n] == '\0')
			break;
		p += n + 1;
	}
	(void)refuse(e, name, value);
	return error_hint(e, "Available values: %s.", list);
}

static bool check_int(const char *range, const char *name, const char *value, struct wr *out, struct error *e)
{
	char low[24] = "";
	const char *dots = strstr(range, "..");
	int64_t lo, hi, v;

	BUG_IF(!dots || (size_t)(dots - range) >= sizeof(low));
	mem_copy(low, range, (size_t)(dots - range));
	BUG_IF(!number_i64(low, INT64_MIN, INT64_MAX, &lo) || !number_i64(dots + 2, INT64_MIN, INT64_MAX, &hi));
	if (!number_i64(value, INT64_MIN, INT64_MAX, &v))
		return refuse(e, name, value);
	if (v < lo || v > hi)
		return fail(e, ERR_BAD_PARAMETER, "%lld is outside the valid range for parameter \"%s\" (%s)", (long long)v, name,
			    range);
	wr_fmt(out, "%lld", (long long)v);
	return true;
}

static const struct {
	const char *unit;
	int64_t millis;
} duration_units[] = { { "d", 86400000 }, { "h", 3600000 }, { "min", 60000 }, { "s", 1000 }, { "ms", 1 } };

bool setting_parse_millis(const char *value, int64_t *out)
{
	char digits[24];
	size_t n = strspn(value, "0123456789");
	const char *unit = value + n + strspn(value + n, " ");
	int64_t count, scale = unit[0] == '\0' ? 1 : 0;

	if (n == 0 || n >= sizeof(digits))
		return false;
	mem_copy(digits, value, n);
	digits[n] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(duration_units); i++) {
		if (text_eq(unit, duration_units[i].unit))
			scale = duration_units[i].millis;
	}
	if (scale == 0 || !number_i64(digits, 0, INT32_MAX, &count) || count > INT32_MAX / scale)
		return false;
	*out = count * scale;
	return true;
}

static bool check_millis(const char *name, const char *value, struct wr *out, struct error *e)
{
	int64_t ms;

	if (!setting_parse_millis(value, &ms)) {
		(void)refuse(e, name, value);
		return error_hint(e, "Write milliseconds, or a number with the unit ms, s, min, h or d; at most 24 days.");
	}
	if (ms == 0) {
		wr_str(out, "0");
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(duration_units); i++) {
		if (ms % duration_units[i].millis == 0) {
			wr_fmt(out, "%lld%s", (long long)(ms / duration_units[i].millis), duration_units[i].unit);
			return true;
		}
	}
	return refuse(e, name, value);
}

static bool check_encoding(const char *name, const char *value, struct wr *out, struct error *e)
{
	char plain[16];
	size_t n = 0;

	/* asyncpg sends it in quotes, others with a dash */
	for (const char *p = value; *p; p++) {
		if (*p == '\'' || *p == '"' || *p == '-' || *p == '_' || *p == ' ')
			continue;
		if (n + 1 >= sizeof(plain))
			return refuse(e, name, value);
		plain[n++] = *p;
	}
	plain[n] = '\0';
	if (text_eq_nocase(plain, "utf8") || text_eq_nocase(plain, "unicode")) {
		wr_str(out, "UTF8");
		return true;
	}
	(void)refuse(e, name, value);
	return error_hint(e, "Only UTF8 is supported.");
}

/* "ISO", "ISO, DMY", "iso,ymd", "MDY": style ISO always, the order kept when not said. */
static bool check_datestyle(const char *name, const char *current, const char *value, struct wr *out, struct error *e)
{
	static const char *const orders[][4] = { { "MDY", "US", "NonEuro", "NonEuropean" }, { "DMY", "Euro", "European", NULL }, { "YMD", NULL, NULL, NULL } };
	const char *order = strstr(current, "DMY") ? "DMY" : strstr(current, "YMD") ? "YMD" : "MDY";

	for (const char *p = value; *p;) {
		char word[16];
		size_t n = strcspn(p, ", ");
		if (n >= sizeof(word))
			return refuse(e, name, value);
		mem_copy(word, p, n);
		word[n] = '\0';
		p += n + strspn(p + n, ", ");
		bool known = n == 0 || text_eq_nocase(word, "ISO");
		for (size_t i = 0; !known && i < ARRAY_LEN(orders); i++) {
			for (size_t j = 0; !known && j < 4; j++) {
				if (text_eq_nocase(word, orders[i][j])) {
					order = orders[i][0];
					known = true;
				}
			}
		}
		if (!known) {
			(void)refuse(e, name, value);
			return error_hint(e, "Only the ISO style is supported, with the order MDY, DMY or YMD.");
		}
	}
	wr_fmt(out, "ISO, %s", order);
	return true;
}

/* Finds one path component in a directory without regard to case, as PostgreSQL finds zones; exact name into out. */
static bool zone_entry(const char *directory, const char *part, size_t n, char *out, size_t size)
{
	DIR *d = opendir(directory);
	bool found = false;

	if (!d)
		return false;
	for (struct dirent *entry = readdir(d); entry && !found; entry = readdir(d)) { /* d is ours alone: readdir is safe */
		if (strlen(entry->d_name) == n && strncasecmp(entry->d_name, part, n) == 0)
			found = snprintf(out, size, "%s", entry->d_name) < (int)size;
	}
	(void)closedir(d);
	return found;
}

/* name has only zone characters.  Canonical spelling into out when the zone files have it. */
static bool zone_find(const char *name, struct wr *out)
{
	char path[ZONE_PATH_BYTES] = ZONE_FILES;
	char magic[4];
	struct stat st;

	for (const char *p = name; *p;) {
		char entry[NAME_BYTES + 1];
		size_t n = strcspn(p, "/"), used = strlen(path);
		if (n == 0 || p[0] == '.' || !zone_entry(path, p, n, entry, sizeof(entry)))
			return false;
		if (snprintf(path + used, sizeof(path) - used, "/%s", entry) >= (int)(sizeof(path) - used))
			return false;
		p += n + (p[n] == '/');
	}
	if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) || path[sizeof(ZONE_FILES) - 1] == '\0')
		return false;
	FILE *f = fopen(path, "rbe");
	bool good = f && fread(magic, 1, sizeof(magic), f) == sizeof(magic) && mem_equal(magic, "TZif", sizeof(magic));
	if (f)
		(void)fclose(f);
	if (good)
		wr_str(out, path + sizeof(ZONE_FILES));
	return good;
}

/* Whole hours east of Greenwich; the zone files count west, hence the turned sign.  Zero hours with minutes ("+00:00") is UTC. */
static bool zone_offset(const char *value, struct wr *out)
{
	int64_t hours;

	if (text_eq(value, "+00:00") || text_eq(value, "-00:00") || text_eq(value, "00:00") || text_eq(value, "Z")) {
		wr_str(out, "UTC");
		return true;
	}
	if (!number_i64(value, -12, 14, &hours))
		return false;
	if (hours == 0)
		wr_str(out, "UTC");
	else
		wr_fmt(out, "Etc/GMT%+d", (int)-hours);
	return true;
}

static bool check_timezone(const char *name, const char *value, struct wr *out, struct error *e)
{
	size_t n = strlen(value);
	bool clean = n > 0 && n <= NAME_BYTES &&
		     strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/:") == n;

	if (clean && (text_eq_nocase(value, "utc") || text_eq_nocase(value, "gmt") || text_eq_nocase(value, "default") ||
		      text_eq_nocase(value, "local"))) {
		wr_str(out, text_eq_nocase(value, "gmt") ? "GMT" : "UTC");
		return true;
	}
	if (clean && (zone_offset(value, out) || zone_find(value, out)))
		return true;
	(void)refuse(e, name, value);
	return error_hint(e, "Use a time zone's name such as Europe/Berlin, UTC, or whole hours east of Greenwich.");
}

/* One schema name at *at: quoted or bare, folded; into word.  False when there is none. */
static bool path_item(const char **at, struct wr *word)
{
	const char *p = *at;

	wr_clear(word);
	if (*p == '"') {
		for (p++; *p != '\0' && (*p != '"' || p[1] == '"'); p++) {
			p += *p == '"';
			wr_u8(word, (uint8_t)*p);
		}
		if (*p != '"')
			return false;
		p++;
	} else {
		for (; *p != '\0' && *p != ',' && !isspace((unsigned char)*p); p++) {
			if (*p == '"' || *p == '\'')
				return false;
			wr_u8(word, (uint8_t)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p));
		}
	}
	*at = p;
	return word->n > 0 && word->n <= NAME_BYTES && wr_ok(word);
}

bool setting_parse_path(const char *value, bool (*put)(void *ctx, const char *schema), void *ctx)
{
	const char *p = value + strspn(value, " \t\r\n");
	struct wr word;
	bool good = true;

	if (*p == '\0')
		return true;
	wr_init_heap(&word, SESSION_MAX_VALUE);
	for (;;) {
		good = path_item(&p, &word) && put(ctx, wr_text(&word));
		if (!good)
			break;
		p += strspn(p, " \t\r\n");
		if (*p == '\0')
			break;
		good = *p == ',';
		if (!good)
			break;
		p++;
		p += strspn(p, " \t\r\n");
	}
	wr_free(&word);
	return good;
}

static bool path_put(void *ctx, const char *schema)
{
	struct wr *out = ctx;
	size_t n = strlen(schema);
	bool bare = !isdigit((unsigned char)schema[0]) && strspn(schema, "abcdefghijklmnopqrstuvwxyz0123456789_") == n;

	if (out->n > 0)
		wr_str(out, ", ");
	if (bare)
		wr_str(out, schema);
	else
		wr_sql_name(out, schema);
	return true;
}

static bool check_path(const char *name, const char *value, struct wr *out, struct error *e)
{
	if (setting_parse_path(value, path_put, out))
		return true;
	(void)refuse(e, name, value);
	return error_hint(e, "Write schema names separated by commas.");
}

static bool check_loss(enum setting_check check, const char *name, const char *value, struct wr *out, struct error *e)
{
	struct decimal d;
	struct eps eps;
	struct delta delta;
	bool good = decimal_parse(value, &d) && d.digits > 0;

	if (check != CHECK_CONFIDENCE && (value[0] == '\0' || text_eq_nocase(value, "default"))) {
		wr_str(out, "default");
		return true;
	}
	if (check == CHECK_EPSILON) {
		good = good && eps_from_decimal(d, &eps);
	} else {
		good = good && delta_from_decimal(d, &delta) && delta.atto < DELTA_ONE;
	}
	if (!good) {
		(void)refuse(e, name, value);
		return error_hint(e, check == CHECK_EPSILON ? "Write a positive decimal with at most 12 digits behind the point, such as 0.5, or default." :
				     check == CHECK_DELTA   ? "Write a decimal between 0 and 1, such as 1e-9, or default." :
							      "Write a decimal between 0 and 1, such as 0.95.");
	}
	decimal_put(out, d);
	return true;
}

/* ±100 and +-100 are 100.  A share of the answer cannot be promised before the answer is known. */
/* '100', '±100', '5%': canonical is the plain number, with its percent sign. */
static bool check_error(const char *name, const char *value, struct wr *out, struct error *e)
{
	static const struct decimal all = { 100, 0 };
	struct decimal d;
	struct wr number;
	const char *from = value;
	int order;

	if (*value == '\0' || text_eq_nocase(value, "default")) {
		wr_str(out, "default");
		return true;
	}
	if (text_starts(from, "\xc2\xb1") || text_starts(from, "+-"))
		from += 2;
	size_t n = strlen(from);
	const bool percent = n > 0 && from[n - 1] == '%';
	n -= percent;
	while (percent && n > 0 && from[n - 1] == ' ')
		n--;
	wr_init_heap(&number, SESSION_MAX_VALUE + 1);
	wr_put(&number, from, n);
	bool good = decimal_parse(wr_text(&number), &d) && d.digits > 0 && (!percent || (d.scale <= 20 && decimal_compare(d, all, &order) && order <= 0));
	wr_free(&number);
	if (!good) {
		(void)refuse(e, name, value);
		return error_hint(e, "Write a positive number in the unit of the answer, such as 100 or '±0.5', a percentage up to 100%%, such as '5%%', or default.");
	}
	decimal_put(out, d);
	wr_str(out, percent ? "%" : "");
	return true;
}

static bool check_name(const char *value, struct wr *out)
{
	for (size_t i = 0; i < NAME_BYTES && value[i]; i++) {
		unsigned char c = (unsigned char)value[i];
		wr_u8(out, c >= 32 && c < 127 ? c : '?');
	}
	return true;
}

bool setting_check(enum setting_check check, const char *argument, const char *name, const char *current, const char *value,
		   struct wr *out, struct error *e)
{
	switch (check) {
	case CHECK_TEXT:
		wr_str(out, value);
		return true;
	case CHECK_NAME:
		return check_name(value, out);
	case CHECK_BOOL:
		return check_bool(name, value, out, e);
	case CHECK_ENUM:
		return check_enum(argument, name, value, out, e);
	case CHECK_INT:
		return check_int(argument, name, value, out, e);
	case CHECK_MILLIS:
		return check_millis(name, value, out, e);
	case CHECK_ENCODING:
		return check_encoding(name, value, out, e);
	case CHECK_DATESTYLE:
		return check_datestyle(name, current, value, out, e);
	case CHECK_TIMEZONE:
		return check_timezone(name, value, out, e);
	case CHECK_PATH:
		return check_path(name, value, out, e);
	case CHECK_ERROR:
		return check_error(name, value, out, e);
	case CHECK_EPSILON:
	case CHECK_DELTA:
	case CHECK_CONFIDENCE:
		return check_loss(check, name, value, out, e);
	}
	return fail(e, ERR_INTERNAL, "setting has no check");
}
