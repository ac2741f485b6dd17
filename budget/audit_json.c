/* Records as JSON, for people and programs; the binary record is what counts. */
#include "budget/audit_verify.h"

static void put_string(struct wr *w, struct rd v)
{
	struct wr copy; /* wr_json wants a zero byte behind; fields hold none */

	wr_init_heap(&copy, v.left + 1);
	wr_put(&copy, v.p, v.left);
	w->bad = w->bad || !wr_ok(&copy);
	wr_json(w, wr_text(&copy));
	wr_free(&copy);
}

static void put_fields(struct wr *w, struct rd fields);

static void put_value(struct wr *w, enum audit_kind kind, struct rd v)
{
	switch (kind) {
	case FIELD_TEXT:
		put_string(w, v);
		break;
	case FIELD_NUMBER:
		wr_fmt(w, "%llu", (unsigned long long)rd_u64(&v));
		break;
	case FIELD_PICO:
		eps_put(w, (struct eps){ rd_u64(&v) });
		break;
	case FIELD_ATTO:
		delta_put(w, (struct delta){ rd_u64(&v) });
		break;
	case FIELD_BYTES:
		wr_str(w, "\"");
		audit_put_hex(w, v.p, v.left);
		wr_str(w, "\"");
		break;
	case FIELD_VALUE:
		if (rd_u8(&v) == 0)
			wr_str(w, "null");
		else
			put_string(w, v);
		break;
	case FIELD_GROUP:
		wr_str(w, "{");
		put_fields(w, v);
		wr_str(w, "}");
		break;
	}
}

/* Members of an object; those that may stand several times are arrays. */
static void put_fields(struct wr *w, struct rd fields)
{
	enum audit_field f, last = (enum audit_field)0;
	const char *name, *separator = "";
	bool list, open = false;
	enum audit_kind kind;
	struct rd v;

	while (audit_field_next(&fields, &f, &v) && audit_field_known(f, &name, &kind, &list)) {
		if (open && f != last)
			wr_str(w, "]");
		if (!open || f != last) {
			wr_fmt(w, "%s\"%s\":%s", separator, name, list ? "[" : "");
			open = list;
		} else {
			wr_str(w, ",");
		}
		put_value(w, kind, v);
		separator = ",";
		last = f;
	}
	wr_str(w, open ? "]" : "");
}

void audit_json_put(struct wr *w, const struct audit_record *r)
{
	char at[WALL_TEXT];

	wall_text(r->at, at);
	wr_fmt(w, "{\"sequence\":%llu,\"time\":\"%s\",\"event\":\"%s\",\"hash\":\"", (unsigned long long)r->sequence, at, audit_event_name(r->event));
	audit_put_hex(w, r->hash, SHA256_SIZE);
	wr_str(w, "\"");
	if (r->fields.left > 0)
		wr_str(w, ",");
	put_fields(w, r->fields);
	wr_str(w, "}");
}
