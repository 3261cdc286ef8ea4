package main

import (
	"bufio"
	"fmt"
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

// writeInventory writes a CSV file of four columns.
func writeInventory(path string, devices int) error {
	file, err := os.Create(path) //nolint:gosec // G304: a path in our own temporary folder
	if err != nil {
		return fmt.Errorf("write inventory: %w", err)
	}
	lines := bufio.NewWriterSize(file, 1<<20)
	_, err = fmt.Fprintln(lines, "Identifier,department,email,asset")
	for d := device(0); err == nil && int(d) < devices; d++ {
		_, err = fmt.Fprintf(lines, "%s,%s,%s,%s\n", d.identifier(), d.department(), d.email(), d.asset())
	}
	if err == nil {
		err = lines.Flush()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("write inventory: %w", err)
	}
	return nil
}
