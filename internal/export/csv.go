package export

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/gocarina/gocsv"

	"step-posture-connector/internal/posture"
)

// row has the cells of a device, in the order of the vocabulary.
type row struct {
	Identifier   string `csv:"Identifier"`
	SerialNumber string `csv:"device.serial_number"`
	UDID         string `csv:"device.udid"`
	Name         string `csv:"device.name"`
	Model        string `csv:"device.model"`
	Type         string `csv:"device.type"`
	OS           string `csv:"device.os"`
	OSVersion    string `csv:"device.os_version"`
	Managed      string `csv:"device.managed"`
	Supervised   string `csv:"device.supervised"`
	Compliant    string `csv:"device.compliant"`
	Encrypted    string `csv:"device.encrypted"`
	Ownership    string `csv:"device.ownership"`
	LastSeen     string `csv:"device.last_seen"`
	EnrolledAt   string `csv:"device.enrolled_at"`
	Groups       string `csv:"device.groups"`
	Attributes   string `csv:"device.attributes"`
	Username     string `csv:"user.username"`
	RealName     string `csv:"user.realname"`
	EmailAddress string `csv:"user.email_address"`
	Position     string `csv:"user.position"`
	Department   string `csv:"user.department"`
}

// csvRows writes devices as rows of CSV.
type csvRows struct {
	definitions []*posture.Definition // of the columns that are written, without the identifier
	fields      []int                 // of row
	one         []row                 // reused: gocsv takes a slice
	text        bytes.Buffer
	columns     *columns
	now         time.Time
}

// newCSV returns the form with a column for the identifier, and one for each fact.
func newCSV(facts posture.FactSet, now time.Time) (form, error) {
	c := &csvRows{one: make([]row, 1), now: now}
	c.columns = &columns{to: csv.NewWriter(&c.text), wanted: []int{0}}
	known := map[string]int{}
	for i := range reflect.TypeFor[row]().NumField() {
		known[reflect.TypeFor[row]().Field(i).Tag.Get("csv")] = i
	}
	for _, d := range posture.Vocabulary() {
		field, ok := known[d.Name]
		switch {
		case !facts.Has(d.Set()), d.Name == "device.identifier": // the first column has it
		case !ok:
			return form{}, fmt.Errorf("%s has no column", d.Name) // a mistake in this file, which a test finds
		default:
			c.definitions, c.fields = append(c.definitions, d), append(c.fields, field)
			c.columns.wanted = append(c.columns.wanted, field)
		}
	}
	if err := gocsv.MarshalCSV([]row{}, c.columns); err != nil {
		return form{}, fmt.Errorf("header: %w", err)
	}
	header := c.text.String()
	return form{begin: header, row: c.row}, nil
}

func (c *csvRows) row(to []byte, d *posture.Device) ([]byte, error) {
	if err := checkText(d, c.definitions); err != nil {
		return to, err
	}
	c.one[0] = row{Identifier: cell(d.Identifier)}
	fields := reflect.ValueOf(&c.one[0]).Elem()
	for i, definition := range c.definitions {
		fields.Field(c.fields[i]).SetString(c.cell(definition, d))
	}
	c.text.Reset()
	if err := gocsv.MarshalCSVWithoutHeaders(c.one, c.columns); err != nil {
		return to, errors.Join(errors.New("row"), err)
	}
	return append(to, c.text.Bytes()...), nil
}

// cell is empty where the fact is unknown.
func (c *csvRows) cell(definition *posture.Definition, d *posture.Device) string {
	switch definition.Type {
	case posture.ListFact:
		if names, known := groupsOf(d); known {
			return groups(names)
		}
	case posture.AttributesFact:
		if attributes, known := d.Facts.Attributes.Get(); known {
			return string(guard(object(nil, attributes, nil)))
		}
	default:
		if text, known := plain(definition, d, c.now); known {
			return cell(text)
		}
	}
	return ""
}

// columns is a gocsv.CSVWriter that writes the columns only that the list gives. It is no global of gocsv.
type columns struct {
	to     *csv.Writer
	wanted []int
	row    []string
}

// Write implements gocsv.CSVWriter.
func (c *columns) Write(all []string) error {
	c.row = slices.Grow(c.row[:0], len(c.wanted))
	for _, i := range c.wanted {
		c.row = append(c.row, all[i])
	}
	return c.to.Write(c.row)
}

// Flush implements gocsv.CSVWriter.
func (c *columns) Flush() { c.to.Flush() }

// Error implements gocsv.CSVWriter.
func (c *columns) Error() error { return c.to.Error() }
