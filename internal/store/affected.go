package store

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"step-posture-connector/internal/journal"
)

// deviceOf is a device under a policy.
type deviceOf struct{ policy, key string }

// affectedBy is a row of journal_affected.
type affectedBy struct {
	device deviceOf
	rule   string
}

func compareAffected(a, b affectedBy) int {
	return cmp.Or(strings.Compare(a.device.policy, b.device.policy), strings.Compare(a.rule, b.rule), strings.Compare(a.device.key, b.device.key))
}

// oneByOne lets other replicas wait until the transaction ends. Of tables that have grown since PostgreSQL has looked at them it would
// rather read all than find 256 devices by the index.
const oneByOne = "SELECT pg_advisory_xact_lock($1), set_config('enable_seqscan', 'off', true)"

// updateAffected brings journal_affected to the latest decision of each device under each policy: only decisions whose rules were
// evaluated count. Batches of replicas may come in any order. A decision that is older than one in the journal changes nothing; so
// that of two batches one is in the journal when the other one looks, they do this one after the other.
func (d *DB) updateAffected(ctx context.Context, q querier, added []journal.Entry) error {
	latest := latestOf(added)
	if len(latest) == 0 {
		return nil
	}
	if !d.url.IsSQLite() { // where the transaction itself is alone
		var ignored any
		if err := q.QueryRowContext(ctx, oneByOne, lockNumber("affected", "")).Scan(&ignored, &ignored); err != nil {
			return err
		}
	}
	if err := d.dropOutdated(ctx, q, latest); err != nil {
		return err
	}
	gone, err := d.outlived(ctx, q, latest)
	if err == nil {
		err = d.deleteAffected(ctx, q, gone)
	}
	if err == nil {
		err = d.insertAffected(ctx, q, latest)
	}
	return err
}

// latestOf are the latest evaluated decisions of a batch.
func latestOf(entries []journal.Entry) map[deviceOf]journal.Entry {
	latest := map[deviceOf]journal.Entry{}
	for _, e := range entries {
		device := deviceOf{e.Policy, e.Key}
		if before, ok := latest[device]; e.Key != "" && isEvaluated(e) && (!ok || compareIDs(before.ID, e.ID) < 0) {
			latest[device] = e
		}
	}
	return latest
}

func compareIDs(a, b journal.ID) int { return slices.Compare(a[:], b[:]) }

// newerDecisions asks, of rows of policy, key and ID, which device has a later decision. EXISTS would let PostgreSQL read the whole
// journal first, where it does not know yet how large that is.
const newerDecisions = "SELECT v.column1, v.column2 FROM (%) AS v WHERE (SELECT 1 FROM journal j WHERE j.identifier_key = v.column2 AND j.id > v.column3" +
	" AND j.identifier_key <> '' AND j.policy || '' = v.column1 AND j.evaluated = 1 LIMIT 1) IS NOT NULL"

// dropOutdated leaves decisions out that would add a device, and are not its latest. The others only remove rows, and those of
// later decisions stay.
func (d *DB) dropOutdated(ctx context.Context, q querier, latest map[deviceOf]journal.Entry) error {
	var reported []deviceOf
	for device, e := range latest {
		if len(e.WouldDeny) > 0 {
			reported = append(reported, device)
		}
	}
	for some := range slices.Chunk(reported, maxInserted) {
		var arguments []any
		for _, device := range some {
			id := latest[device].ID
			arguments = append(arguments, device.policy, device.key, id[:])
		}
		// In a list of its own a value has the type of its first one, which PostgreSQL takes for a text.
		statement := strings.Replace(newerDecisions, "%", strings.Replace(d.dialect.values(len(some), len(arguments)), "$3", "CAST($3 AS BYTEA)", 1), 1)
		err := eachRow(ctx, q, statement, arguments, func(row scanner) error {
			var device deviceOf
			err := row.Scan(&device.policy, &device.key)
			delete(latest, device)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// affectedOf asks for the rows of devices, under all policies.
const affectedOf = "SELECT policy, rule, identifier_key, id FROM journal_affected WHERE identifier_key IN (%)"

// outlived are the rows of earlier decisions whose rules do not report any more.
func (d *DB) outlived(ctx context.Context, q querier, latest map[deviceOf]journal.Entry) (gone []affectedBy, err error) {
	keys := map[string]bool{}
	for device := range latest {
		keys[device.key] = true
	}
	for some := range slices.Chunk(slices.Sorted(maps.Keys(keys)), maxInserted) {
		var arguments []any
		for _, key := range some {
			arguments = append(arguments, key)
		}
		err := eachRow(ctx, q, strings.Replace(affectedOf, "%", d.dialect.list(1, len(some)), 1), arguments, func(row scanner) error {
			var (
				a     affectedBy
				bytes []byte
			)
			if err := row.Scan(&a.device.policy, &a.rule, &a.device.key, &bytes); err != nil {
				return err
			}
			id, err := idOf(bytes)
			if e, ok := latest[a.device]; ok && compareIDs(id, e.ID) < 0 && !slices.Contains(e.WouldDeny, a.rule) {
				gone = append(gone, a)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return gone, nil
}

func (d *DB) deleteAffected(ctx context.Context, q querier, gone []affectedBy) error {
	slices.SortFunc(gone, compareAffected)
	for some := range slices.Chunk(gone, maxDeleted) {
		var arguments []any
		for _, a := range some {
			arguments = append(arguments, a.device.policy, a.rule, a.device.key)
		}
		if _, err := q.ExecContext(ctx, deleteOf(len(some)), arguments...); err != nil {
			return err
		}
	}
	return nil
}

// deleteOf deletes so many rows, by the index of the devices: PostgreSQL would read all devices of a rule that several rows have.
func deleteOf(count int) string {
	var rows []string
	for i := range count {
		rows = append(rows, fmt.Sprintf("policy || '' = $%d AND rule || '' = $%d AND identifier_key = $%d", 3*i+1, 3*i+2, 3*i+3))
	}
	return "DELETE FROM journal_affected WHERE " + strings.Join(rows, " OR ")
}

func (d *DB) insertAffected(ctx context.Context, q querier, latest map[deviceOf]journal.Entry) error {
	var rows []affectedBy
	for device, e := range latest {
		for _, rule := range slices.Compact(slices.Sorted(slices.Values(e.WouldDeny))) {
			rows = append(rows, affectedBy{device, rule})
		}
	}
	slices.SortFunc(rows, compareAffected)
	for some := range slices.Chunk(rows, maxInserted) {
		var arguments []any
		for _, a := range some {
			e := latest[a.device]
			arguments = append(arguments, a.device.policy, a.rule, a.device.key, e.Identifier, e.Reference, e.ID[:])
		}
		statement := "INSERT INTO journal_affected (policy, rule, identifier_key, identifier, reference, id) " + d.dialect.values(len(some), len(arguments)) +
			" ON CONFLICT (policy, rule, identifier_key) DO UPDATE SET identifier = excluded.identifier, reference = excluded.reference, id = excluded.id"
		if _, err := q.ExecContext(ctx, statement, arguments...); err != nil {
			return err
		}
	}
	return nil
}

const countAffected = "SELECT policy, rule, COUNT(*) FROM journal_affected GROUP BY policy, rule ORDER BY policy, rule"

// Affected implements journal.Store.
func (j *Journal) Affected(ctx context.Context) (counts []journal.Count, err error) {
	err = j.db.read(ctx, func(ctx context.Context, q querier) error {
		counts = nil
		return eachRow(ctx, q, countAffected, nil, func(row scanner) error {
			var c journal.Count
			err := row.Scan(&c.Policy, &c.Name, &c.N)
			counts = append(counts, c)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return counts, nil
}

const listAffected = "SELECT policy, rule, identifier, identifier_key, reference, id FROM journal_affected WHERE policy = $1 AND rule = $2 AND identifier_key > $3 ORDER BY identifier_key LIMIT "

// AffectedBy implements journal.Store. Identifiers are ordered by the bytes of their keys.
func (j *Journal) AffectedBy(ctx context.Context, policy, rule, after string, limit int) (devices []journal.Affected, more bool, err error) {
	if limit = min(limit, journal.MaxFound); limit <= 0 {
		return nil, false, nil
	}
	err = j.db.read(ctx, func(ctx context.Context, q querier) error {
		devices = nil
		return eachRow(ctx, q, listAffected+strconv.Itoa(limit+1), []any{text(policy), text(rule), text(after)}, func(row scanner) error {
			var (
				a     journal.Affected
				bytes []byte
			)
			err := row.Scan(&a.Policy, &a.Rule, &a.Identifier, &a.Key, &a.Reference, &bytes)
			if err == nil {
				a.ID, err = idOf(bytes)
			}
			devices = append(devices, a)
			return err
		})
	})
	if err != nil {
		return nil, false, err
	}
	if len(devices) > limit {
		return devices[:limit], true, nil
	}
	return devices, false, nil
}
