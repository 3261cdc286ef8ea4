package console

import "context"

// inventoryRow is an inventory in effect.
type inventoryRow struct {
	Name, Kind, Wrong string
	Holds             string // what is asked: the copy, a file in memory, or each device live
	Devices           int64
	Counted           bool
	Fetched           moment
}

func (p *Pages) inventories(_ context.Context, q *request) (answer, error) {
	return answer{page: "inventories", title: "Inventories", data: p.inventoryRows(q)}, nil
}

func (p *Pages) inventoryRows(q *request) (rows []inventoryRow) {
	for _, i := range p.Live.Inventories() {
		row := inventoryRow{Name: i.Name, Kind: i.Kind, Wrong: i.Wrong, Holds: "each device is asked for when it is needed"}
		switch {
		case i.InMemory:
			row.Holds, row.Counted = "a file in memory", true
		case i.Copied && i.Fetched.IsZero():
			row.Holds = "no copy yet: each device is asked for when it is needed"
		case i.Copied:
			row.Holds, row.Counted = "a copy, and the inventory itself before anything is refused", true
		}
		row.Devices, row.Fetched = int64(i.Devices), q.moment(i.Fetched)
		rows = append(rows, row)
	}
	return rows
}
