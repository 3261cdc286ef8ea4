package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// rowDevices is how many devices the journal of journalRows has. The numbers in its statements fit.
const rowDevices = 100_000

// journalRows fills the journal of 90 days before noon, of 100,000 devices and eight policies, and its sums. Lines have about 1 kB. One
// in twenty is refused. The policy and the code "past" were frequent once: only in the oldest tenth.
func (b *backend) journalRows(count int) func(context.Context, *sql.DB) error {
	const (
		line = `'{"time":"2026-11-02T12:00:00Z","level":"info","msg":"[ALLOW]","identifier":"SERIAL' || n || '","facts":{"device":{"udid":"' || {filler} || '","groups":["Finance","Laptops"],"encrypted":true}}}'`
		// What each rule said, as for most decisions.
		rules   = `'[{"name":"encrypted","result":"met","enforced":true},{"name":"updated","result":"unmet","enforced":false,"reason":"device.os_version is 15.3"}]'`
		entries = `{with}INSERT INTO journal (id, reference, identifier_key, policy, code, refused, evaluated, line, rules)
			SELECT {blob:{hex:{begin} + n * ({span} / {rows})} || {random}}, {reference}, 'SERIAL' || (n % 100000),
			CASE WHEN n < {rows} / 10 AND n % 3 = 0 THEN 'past' ELSE 'policy' || (n % 8) END,
			CASE WHEN n % 20 <> 7 THEN '' WHEN n < {rows} / 10 THEN 'past' ELSE 'code' || (n / 20 % 6) END,
			CASE WHEN n % 20 = 7 THEN 1 ELSE 0 END, 1, ` + line + ", " + rules + " FROM {series}"
		// Of each policy, in each hour and on each day: 27 rows, and totals.
		counts = `{with}INSERT INTO journal_counts (span, start, policy, kind, name, n) SELECT 'hour', {begin} + n / 216 * 3600000000, 'policy' || (n / 27 % 8),
			CASE WHEN n % 27 < 7 THEN 'code' WHEN n % 27 < 20 THEN 'unmet' ELSE 'by-rule' END, 'name' || (n % 27), 7 FROM {series}`
		days = `INSERT INTO journal_counts (span, start, policy, kind, name, n)
			SELECT 'day', start / 86400000000 * 86400000000, policy, kind, name, SUM(n) FROM journal_counts GROUP BY 2, 3, 4, 5`
		totals = `{with}INSERT INTO journal_counts (span, start, policy, kind, name, n) SELECT 'total', {begin} + n / 5 * 3600000000, '',
			CASE n % 5 WHEN 0 THEN 'allow' WHEN 1 THEN 'refuse' WHEN 2 THEN 'fault' WHEN 3 THEN 'event' ELSE 'report' END, '', 700 FROM {series}`
		// Two rules that would refuse nine devices of ten.
		devices = `{with}INSERT INTO journal_affected (policy, rule, identifier_key, identifier, reference, id)
			SELECT 'policy' || (n / 2 % 8), 'rule' || (n % 2), 'SERIAL' || (n / 2), 'SERIAL' || (n / 2), 'ABCDEFGH', {blob:{hex:n} || {random}} FROM {series}`
		hours = 90 * 24
	)
	statements := []string{
		b.rowStatement(entries, count), b.rowStatement(counts, min(hours*216, count)), days, b.rowStatement(totals, hours*5), b.rowStatement(devices, min(9*rowDevices/5, count)),
	}
	return func(ctx context.Context, db *sql.DB) error {
		db.SetMaxOpenConns(1)
		before, after := []string{"SET maintenance_work_mem = '512MB'"}, []string{"VACUUM ANALYZE journal", "VACUUM ANALYZE journal_counts", "VACUUM ANALYZE journal_affected", "CHECKPOINT"}
		if b.url.IsSQLite() {
			before, after = []string{"PRAGMA cache_size = -1000000", "PRAGMA synchronous = OFF"}, []string{"PRAGMA wal_checkpoint(TRUNCATE)"}
		}
		drop, create, err := b.journalIndexes(ctx, db)
		if err != nil {
			return err
		}
		for _, s := range slices.Concat(before, drop, statements, create, after) {
			if _, err := db.ExecContext(ctx, s); err != nil {
				return fmt.Errorf("%.300s: %w", s, err)
			}
		}
		return nil
	}
}

// rowStatement is a statement for so many rows in the words of the database. In it {hex:N} is a number in 16 digits, and {blob:T} the
// bytes of digits.
func (b *backend) rowStatement(text string, rows int) string {
	const span = 90 * 24 * 3_600_000_000 // 90 days in microseconds
	number := strconv.Itoa(rows)
	filler := "repeat(md5(n::text), 24)" // too short for PostgreSQL to compress it
	hex, blob, replacements := "lpad(to_hex(", "decode(", []string{"{with}", "", "{series}", "generate_series(0, " + number + " - 1) AS s(n)", "{reference}", "upper(substr(md5(n::text), 1, 8))", "{random}", "substr(md5('r' || n), 1, 16)"}
	endHex, endBlob := "), 16, '0')", ", 'hex')"
	if b.url.IsSQLite() {
		hex, blob, endHex, endBlob, filler = "printf('%016x', ", "unhex(", ")", ")", "hex(randomblob(384))"
		replacements = []string{"{with}", "WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < " + number + " - 1) ", "{series}", "s", "{reference}", "hex(randomblob(4))", "{random}", "hex(randomblob(8))"}
	}
	replacements = append(replacements, "{filler}", filler, "{rows}", number, "{begin}", strconv.FormatInt(noon().UnixMicro()-span, 10), "{span}", strconv.Itoa(span))
	text = strings.NewReplacer(replacements...).Replace(text)
	for _, f := range [][3]string{{"{hex:", hex, endHex}, {"{blob:", blob, endBlob}} { // the inner one first
		begin, rest, found := strings.Cut(text, f[0])
		if inner, end, _ := strings.Cut(rest, "}"); found {
			text = begin + f[1] + inner + f[2] + end
		}
	}
	return text
}

// journalIndexes drop and make the indexes of the journal, which is faster after the rows.
func (b *backend) journalIndexes(ctx context.Context, db *sql.DB) (drop, create []string, err error) {
	query := "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'journal' AND indexname <> 'journal_pkey' ORDER BY indexname"
	if b.url.IsSQLite() {
		query = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'journal' AND sql IS NOT NULL ORDER BY name"
	}
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name, statement string
		if err := rows.Scan(&name, &statement); err != nil {
			return nil, nil, err
		}
		drop, create = append(drop, "DROP INDEX "+name), append(create, statement)
	}
	return drop, create, rows.Err()
}
