package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
)

// scatter and maxDevices, both prime, order the devices of an inventory at random but the same in
// every run, so that the order of the file helps no index.
const (
	scatter    = 48_271_337
	maxDevices = 99_999_989
)

// device is one line of the generated inventory.
type device int

func (d device) identifier() string {
	return fmt.Sprintf("C02X%08d", int(d)*scatter%maxDevices)
}

func (d device) department() string {
	departments := [...]string{"Engineering", "Sales", "Finance", "Human Resources", "Legal", "Support", "Marketing"}
	return departments[int(d)%len(departments)]
}

func (d device) email() string { return fmt.Sprintf("user%07d@example.com", int(d)) }

func (d device) asset() string { return fmt.Sprintf("A-%07d", int(d)) }

// data is what the daemon is to return about the device: one member for each further column.
func (d device) data() string {
	return fmt.Sprintf(`{"department":%q,"email":%q,"asset":%q}`, d.department(), d.email(), d.asset())
}

// The formats of an inventory.
const (
	formatCSV  = "csv"
	formatJSON = "json"
)

// inventory is a file of generated devices.
type inventory struct {
	path, format string
	devices      int
}

// inventory writes the file, unless it exists.
func (f folder) inventory(format string, devices int) (inventory, error) {
	in := inventory{f.file(fmt.Sprintf("%d.%s", devices, format)), format, devices}
	if _, err := os.Stat(in.path); err == nil {
		return in, nil
	}
	file, err := os.Create(in.path)
	if err != nil {
		return in, fmt.Errorf("write inventory: %w", err)
	}
	out := bufio.NewWriterSize(file, mebibyte)
	if format == formatJSON {
		err = writeJSON(out, devices)
	} else {
		err = writeCSV(out, devices)
	}
	if err == nil {
		err = out.Flush()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return in, fmt.Errorf("write inventory: %w", err)
	}
	return in, nil
}

// writeCSV writes four columns.
func writeCSV(out io.Writer, devices int) error {
	_, err := fmt.Fprintln(out, "Identifier,department,email,asset")
	for d := device(0); err == nil && int(d) < devices; d++ {
		_, err = fmt.Fprintf(out, "%s,%s,%s,%s\n", d.identifier(), d.department(), d.email(), d.asset())
	}
	return err
}

// writeJSON writes the same, a device a line.
func writeJSON(out io.Writer, devices int) error {
	_, err := fmt.Fprint(out, `{"devices":[`)
	separator := "\n"
	for d := device(0); err == nil && int(d) < devices; d++ {
		_, err = fmt.Fprintf(out, `%s{"identifier":%q,"data":%s}`, separator, d.identifier(), d.data())
		separator = ",\n"
	}
	if err == nil {
		_, err = fmt.Fprint(out, "\n]}\n")
	}
	return err
}
