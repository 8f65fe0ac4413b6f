-- SPDX-License-Identifier: GPL-2.0-only
-- Build a table, two indexes over it, and use them. ROWS is replaced before use.
PRAGMA cache_size = -65536;
CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, town TEXT, born INTEGER);
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ROWS)
	INSERT INTO person
	SELECT i, printf('%08x-%d', i * 2654435761 % 4294967296, i),
	       'town ' || (i * 7919 % 3571), 1900 + i * 31 % 120
	FROM n;
CREATE INDEX by_name ON person (name);
CREATE INDEX by_town ON person (town, born);
SELECT count(*), count(DISTINCT name) FROM person;
SELECT town, count(*) AS people, avg(born), length(group_concat(substr(name, 1, 3)))
	FROM person GROUP BY town ORDER BY people DESC, town LIMIT 3;
