-- What the operator holds: sealed files, loaded as they are.  The rows' tags come along; analysts never see them.
CREATE SCHEMA brand_raw;
CREATE SCHEMA publisher_raw;
CREATE TABLE brand_raw.customers (email_fp text, region text, age integer, spend numeric(8,2), first_order date, note text, noisegate_row text);
CREATE TABLE publisher_raw.users (email_fp text, plan text, age integer, noisegate_row text);
CREATE TABLE publisher_raw.impressions (email_fp text, campaign text, seen_at timestamp, clicked boolean, noisegate_row text);
\copy brand_raw.customers FROM 'customers.sealed.csv' (FORMAT csv, HEADER)
\copy publisher_raw.users FROM 'users.sealed.csv' (FORMAT csv, HEADER)
\copy publisher_raw.impressions FROM 'impressions.sealed.csv' (FORMAT csv, HEADER)
ANALYZE;
