/* The second wall: what is taken from PUBLIC in the sidecar.  A constant text, run once by the superuser. */
#include "proxy/sidecar_schema.h"

/*
 * Functions: every volatile one but those that clients need and that only look at sizes and clocks; and by name the stable ones that run SQL strings
 * (*_to_xml*), or tell about other sessions, the host, or transactions.
 *
 * Views: server statistics, except those per table and index, which clients ask for and which stay zero (track_counts is off).
 *
 * pg_roles, pg_user, pg_group keep their columns but show a login only itself and the built-in roles: the other parties' logins are not its business.
 */
static const char hardening[] =
	"DO $do$\n"
	"DECLARE r record;\n"
	"BEGIN\n"
	"  FOR r IN SELECT p.oid::regprocedure AS f FROM pg_proc p\n"
	"    WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind IN ('f', 'p')\n"
	"      AND (p.provolatile = 'v' AND p.proname <> ALL ('{clock_timestamp,gen_random_uuid,random,pg_is_in_recovery,\n"
	"             pg_collation_actual_version,pg_database_collation_actual_version,pg_database_size,pg_tablespace_size,pg_relation_size,\n"
	"             pg_table_size,pg_indexes_size,pg_total_relation_size,pg_partition_ancestors,pg_partition_tree,\n"
	"             pg_sequence_last_value,pg_jit_available,pg_advisory_unlock_all,pg_stat_get_xact_blocks_fetched,pg_stat_get_xact_blocks_hit,\n"
	"             pg_stat_get_xact_numscans,pg_stat_get_xact_tuples_deleted,pg_stat_get_xact_tuples_fetched,\n"
	"             pg_stat_get_xact_tuples_hot_updated,pg_stat_get_xact_tuples_inserted,pg_stat_get_xact_tuples_returned,\n"
	"             pg_stat_get_xact_tuples_updated}'::name[])\n"
	"        OR p.proname ~ '_to_xml|^inet_(client|server)_|^txid_|^pg_current_(xact|snapshot)|^pg_(conf_load|postmaster_start)_time$'\n"
	"        OR p.proname ~ '^pg_stat_get_(activity|backend|bgwriter|buf_|checkpoint|db_|progress|replication|slru|subscription|wal|archiver|snapshot)'\n"
	"        OR p.proname ~ '^pg_(config|cursor|prepared_|lock_status|filenode_relation|relation_filenode|relation_filepath|get_replication_slots|"
	"listening_channels|hba_|ident_|show_all_file|get_shmem|get_backend_memory|ls_|read_|stat_file|control_|blocking|safe_snapshot|"
	"available_extension|extension_update|tablespace_databases)'\n"
	"        OR p.proname ~ '^(ts_stat|ts_rewrite|lo_|loread|lowrite|set_config|setval|nextval|currval|lastval|binary_upgrade|amvalidate)')\n"
	"  LOOP\n"
	"    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', r.f);\n"
	"  END LOOP;\n"
	"  FOR r IN SELECT c.oid::regclass AS v FROM pg_class c WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind IN ('v', 'r')\n"
	"      AND (c.relname ~ '^pg_stat_' AND c.relname !~ '^pg_stat_(all|sys|user|xact_all|xact_sys|xact_user)_(tables|indexes)$'\n"
	"        OR c.relname IN ('pg_locks', 'pg_prepared_xacts', 'pg_prepared_statements', 'pg_cursors', 'pg_config', 'pg_file_settings',\n"
	"             'pg_hba_file_rules', 'pg_ident_file_mappings', 'pg_shmem_allocations', 'pg_backend_memory_contexts', 'pg_replication_slots',\n"
	"             'pg_replication_origin_status', 'pg_replication_origin', 'pg_db_role_setting', 'pg_user_mappings', 'pg_available_extensions',\n"
	"             'pg_available_extension_versions', 'pg_largeobject_metadata', 'pg_shdepend'))\n"
	"  LOOP\n"
	"    EXECUTE format('REVOKE ALL ON %s FROM PUBLIC', r.v);\n"
	"  END LOOP;\n"
	"  FOR r IN SELECT l.lanname AS l FROM pg_language l WHERE l.lanpltrusted LOOP\n"
	"    EXECUTE format('REVOKE ALL ON LANGUAGE %I FROM PUBLIC', r.l);\n"
	"  END LOOP;\n"
	"  SET LOCAL allow_system_table_mods = on;\n"
	"  FOR r IN SELECT * FROM (VALUES ('pg_roles', 'rolname'), ('pg_user', 'usename'), ('pg_group', 'groname')) v(view, name) LOOP\n"
	"    EXECUTE format('CREATE OR REPLACE VIEW pg_catalog.%I AS SELECT v.* FROM (%s) v WHERE v.%I = CURRENT_USER OR v.%I ~ ''^pg_'' OR v.%I = %L',\n"
	"      r.view, rtrim(pg_get_viewdef(('pg_catalog.' || r.view)::regclass), ';'), r.name, r.name, r.name, CURRENT_USER);\n"
	"  END LOOP;\n"
	"END\n"
	"$do$";

const char *sidecar_hardening_sql(void)
{
	return hardening;
}
