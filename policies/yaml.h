/* A YAML text as a tree with positions: maps, lists, scalars; no aliases, tags, or several documents; limited depth and size. */
#ifndef NG_POLICIES_YAML_H
#define NG_POLICIES_YAML_H

#include "policies/load.h"

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml_node {
	enum yaml_kind kind;
	int line, column;
	const char *text;               /* scalar */
	bool plain;                     /* scalar without quotes */
	const struct yaml_node **keys;  /* map */
	const struct yaml_node **items; /* list, or the map's values */
	size_t n, cap, cap_keys;
};

/* Adds an error (or warning) at a position; hint may be "". */
PRINTF_LIKE(5, 6) void report_error(struct policy_report *r, int line, int column, const char *hint, const char *fmt, ...);
PRINTF_LIKE(4, 5) void report_warning(struct policy_report *r, int line, int column, const char *fmt, ...);

/* False when the text is not YAML of this kind (reported), or memory is out. */
MUST_CHECK bool yaml_read(struct arena *a, const char *text, size_t n, const struct yaml_node **out, struct policy_report *r);

#endif
