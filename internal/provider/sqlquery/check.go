package sqlquery

import (
	"context"
	"database/sql"
	"fmt"
)

// Check implements posture.Checker: it runs the query with an identifier that no device has, and reads the columns of it
// and of the list. An error says whether the database cannot be reached, refuses the user, or has no such table.
func (p *Provider) Check(ctx context.Context) (found string, warnings []string, err error) {
	err = p.read(ctx, p.timeout, func(ctx context.Context, tx *sql.Tx) error {
		found, warnings = "", nil
		var version string
		if err := tx.QueryRowContext(ctx, "SELECT "+p.dialect.version()).Scan(&version); err != nil {
			return p.fault(ctx, err)
		}
		found = fmt.Sprintf("%s %.32s at %s", p.dialect.product(), version, p.database.place())
		s, err := p.lookupStatement(ctx, tx)
		if err != nil {
			return err
		}
		lookup, err := p.columnsOf(ctx, tx, s)
		if err != nil {
			return err
		}
		if !p.queries.lookup.isSet() {
			warnings = lookup.doubts("list_query")
			return nil
		}
		warnings = lookup.doubts("the query")
		if !p.queries.list.isSet() {
			return nil
		}
		list, err := p.columnsOf(ctx, tx, p.headOf(p.queries.list))
		if err != nil {
			return fmt.Errorf("list_query: %w", err)
		}
		warnings = append(warnings, list.doubts("list_query")...)
		return nil
	})
	if err != nil {
		return "", nil, err
	}
	return found, warnings, nil
}

// headOf is a list without its rows.
func (p *Provider) headOf(list statement) statement {
	return statement{text: "SELECT * FROM (\n" + list.text + "\n) d WHERE 1 = 0"}
}
