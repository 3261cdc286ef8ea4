package command

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"step-posture-connector/internal/daemon"
)

// loadInventories loads the inventories that the configuration names.
type loadInventories func() (*daemon.Inventory, error)

func inventoryCommand(load loadInventories) *cobra.Command {
	c := &cobra.Command{
		Use:   "inventory",
		Short: "List the inventories, or export the devices of one",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return fmt.Errorf("inventory: what should be done? Usage: %s list, or %s export NAME", c.CommandPath(), c.CommandPath())
		},
	}
	c.AddCommand(inventoryListCommand(load), inventoryExportCommand(load))
	return c
}

func inventoryListCommand(load loadInventories) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "Print every inventory, with its devices, its age and its check",
		Long: "list contacts every inventory once, as check does, and prints a line for each: its name and provider, how many\n" +
			"devices are in memory or in the file of its copy, how old that is, and what the check says. \"asked live\" means\n" +
			"that the daemon asks the inventory about each device, \"no usable copy\" that it does so for now.\n" +
			"It needs what the inventories need, opens no port, and can run beside the daemon.\n" +
			"Exit status: 0 all inventories have passed the check, 1 one has not.",
		Example: "  step-posture-connector inventory list\n" +
			"  step-posture-connector inventory list --json | jq '.inventories[] | select(.ok | not)'",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return listInventories(c, load, asJSON) },
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// inventoryReport is what list prints.
type inventoryReport struct {
	OK          bool            `json:"ok"`
	Inventories []inventoryLine `json:"inventories"`
	Warnings    []string        `json:"warnings"`
	Problems    []string        `json:"problems"`
}

// inventoryLine is one inventory. What is not known is left out.
type inventoryLine struct {
	Name     string         `json:"name"`
	Provider string         `json:"provider"`
	Asked    daemon.AskedAs `json:"answers_from"`
	Devices  *int           `json:"devices,omitempty"`
	Age      *int64         `json:"age_seconds,omitempty"`
	Until    string         `json:"until,omitempty"`
	OK       bool           `json:"ok"`
	Check    string         `json:"check"`

	age time.Duration
}

func listInventories(c *cobra.Command, load loadInventories, asJSON bool) error {
	r, err := reportInventories(c, load)
	if asJSON {
		if errWrite := encode(c.OutOrStdout(), r); errWrite != nil {
			return failed(errWrite)
		}
		if err != nil {
			return &exit{code: ExitError} // what is wrong is in the JSON
		}
		return nil
	}
	warn(c, r.Warnings)
	if errWrite := r.print(c.OutOrStdout()); errWrite != nil {
		return failed(errors.Join(errWrite, err))
	}
	return err
}

// reportInventories returns the report, and with a problem also an error, for standard error.
func reportInventories(c *cobra.Command, load loadInventories) (inventoryReport, error) {
	r := inventoryReport{Inventories: []inventoryLine{}, Warnings: []string{}, Problems: []string{}}
	inventories, err := load()
	if err != nil {
		loading := report{Warnings: r.Warnings, Problems: r.Problems}
		loading.add(err)
		r.Problems = loading.Problems
		return r, err
	}
	r.OK, r.Warnings = true, append(r.Warnings, inventories.Warnings...)
	statuses := inventories.Statuses(c.Context())
	if c.Context().Err() != nil {
		return inventoryReport{Inventories: r.Inventories, Warnings: r.Warnings, Problems: []string{interrupted}}, failed(errors.New("inventory list: " + interrupted))
	}
	for _, status := range statuses {
		r.Warnings = append(r.Warnings, status.Warnings...)
		r.Inventories = append(r.Inventories, lineOf(status))
		r.OK = r.OK && status.Err == nil
	}
	if !r.OK {
		return r, &exit{code: ExitError} // the line says what is wrong
	}
	return r, nil
}

const interrupted = "interrupted"

func lineOf(s daemon.InventoryStatus) inventoryLine {
	line := inventoryLine{Name: s.Name, Provider: s.Kind, Asked: s.Asked, OK: s.Err == nil, Check: s.Found, age: s.Age}
	if s.Err != nil {
		line.Check = oneLine(s.Err)
	}
	if s.Asked == daemon.InMemory || s.Asked == daemon.Copied {
		age := int64(s.Age / time.Second)
		line.Devices, line.Age = &s.Devices, &age
	}
	if !s.Until.IsZero() {
		line.Until = s.Until.UTC().Format(time.RFC3339)
	}
	return line
}

// print writes a table for people.
func (r inventoryReport) print(out io.Writer) error {
	if len(r.Inventories) == 0 {
		return nil // why is printed elsewhere
	}
	const gap = 2
	table := tabwriter.NewWriter(out, 0, 0, gap, ' ', 0)
	_, _ = fmt.Fprintln(table, "NAME\tPROVIDER\tDEVICES\tAGE\tCHECK") // a failure is that of Flush too
	for _, line := range r.Inventories {
		check := line.Check
		switch {
		case !line.OK:
			check = "error: " + check
		case check == "":
			check = "ok"
		default:
			check = "ok: " + check
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", visible(line.Name), visible(line.Provider), line.devices(), line.shownAge(), visible(check))
	}
	return table.Flush()
}

func (l inventoryLine) devices() string {
	switch l.Asked {
	case daemon.NoCopy:
		return "no usable copy"
	case daemon.CopyOnly:
		return "copy in memory only"
	case daemon.InMemory, daemon.Copied:
		return fmt.Sprint(*l.Devices)
	default:
		return "asked live"
	}
}

// shownAge is in whole seconds, and in whole minutes from an hour on.
func (l inventoryLine) shownAge() string {
	switch {
	case l.Age == nil:
		return "-"
	case l.age >= time.Hour:
		hours, minutes := l.age/time.Hour, l.age%time.Hour/time.Minute
		return fmt.Sprintf("%dh%dm", hours, minutes)
	}
	return l.age.Truncate(time.Second).String()
}
