package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// options say what is measured.
type options struct {
	scale          scale
	only           []string // names of sections; none: all
	environ        []string // for the go command that builds the daemon
	before         string   // the path of another connector, or empty
	out, svg, docs string   // paths
}

// scale says how much is measured.
type scale struct {
	name         string
	large        int   // devices of the large inventory
	sizes        []int // of the inventory, the large one last
	rounds       int   // of each contest
	contestLimit time.Duration
	requests     int // in each round
	handshakes   int // likewise, for new connections
	slices       int // of the constant load, for each server
	slice        time.Duration
	logLoad      time.Duration
	loads        int // of each inventory

	reloadWindows int // with reloads; as many are without
	reloadWindow  time.Duration
	settle        time.Duration // for the memory after reloads

	idle     int // connections
	waitIdle bool
	jamf     []jamfLoad

	storm  stormLoad
	outage outageLoad
	fleet  fleetLoad
}

// fullScale takes some minutes.
func fullScale() scale {
	return scale{
		name: "full", large: 1_000_000, sizes: []int{1, 10, 100, 1000, 10_000, 100_000},
		rounds: 9, contestLimit: 2 * time.Minute, requests: 6000, handshakes: 500,
		slices: 7, slice: 3 * time.Second, logLoad: 5 * time.Second, loads: 3,
		reloadWindows: 3, reloadWindow: 6 * time.Second, settle: 20 * time.Second,
		idle: 2000, waitIdle: true,
		jamf:   []jamfLoad{{1, 60}, {50, 8}, {200, 2}},
		storm:  stormLoad{rate: 1000, devices: 10_000, slices: 6, slice: 10 * time.Second},
		outage: outageLoad{devices: 10_000, around: 15 * time.Second, outage: 10 * time.Second},
		fleet:  fleetLoad{devices: 100_000, rate: 500, windows: 2, window: 30 * time.Second},
	}
}

// shortScale shows that everything works, and measures roughly.
func shortScale() scale {
	return scale{
		name: "short", large: 100_000, sizes: []int{1, 1000},
		rounds: 3, contestLimit: 10 * time.Second, requests: 800, handshakes: 64,
		slices: 1, slice: time.Second, logLoad: time.Second, loads: 1,
		reloadWindows: 1, reloadWindow: 2 * time.Second, settle: 2 * time.Second,
		idle:   200,
		jamf:   []jamfLoad{{1, 8}, {50, 2}, {200, 1}},
		storm:  stormLoad{rate: 300, devices: 1000, slices: 1, slice: 2 * time.Second},
		outage: outageLoad{devices: 500, around: 2 * time.Second, outage: 2 * time.Second},
		fleet:  fleetLoad{devices: 5000, rate: 300, windows: 1, window: 5 * time.Second},
	}
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	o := options{}
	short := flags.Bool("short", false, "little of everything: shows that it works, measures roughly")
	only := flags.String("only", "", "the `parts` to run, separated by commas: "+strings.Join(sectionNames(), ", "))
	large := flags.Int("large", 0, "`devices` of the large inventory, in place of 1,000,000 or, with -short, 100,000")
	flags.StringVar(&o.before, "before", "", "the `connector` of another version, which the part rules compares with this one")
	flags.StringVar(&o.out, "out", "", "the `file` that the result is written to as Markdown")
	flags.StringVar(&o.svg, "svg", "", "the `file` that the chart is written to")
	flags.StringVar(&o.docs, "docs", "", "the `document` that gets the result, between two lines that it has for that")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.scale = fullScale()
	if *short {
		o.scale = shortScale()
	}
	if *large != 0 {
		o.scale.large = *large
	}
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	if err := o.check(flags.NArg()); err != nil {
		_, _ = fmt.Fprintln(stderr, "bench:", err)
		return o, err
	}
	o.scale.sizes = append(o.scale.sizes, o.scale.large)
	return o, nil
}

func (o options) check(surplus int) error {
	if surplus > 0 {
		return errors.New("want flags only, no other arguments")
	}
	if len(o.only) > 0 && o.docs != "" {
		return errors.New("-docs: a page wants all of the parts, so it goes without -only")
	}
	for _, name := range o.only {
		if !slices.Contains(sectionNames(), name) {
			return fmt.Errorf("-only: no part is called %q; the parts are %s", name, strings.Join(sectionNames(), ", "))
		}
	}
	if largest := slices.Max(o.scale.sizes); o.scale.large <= largest || o.scale.large >= maxDevices {
		return fmt.Errorf("want -large of more than %d and less than %d", largest, maxDevices)
	}
	return nil
}

// sectionNames are what -only accepts.
func sectionNames() []string {
	var names []string
	for _, s := range (&bench{}).sections() {
		if !slices.Contains(names, s.name) {
			names = append(names, s.name)
		}
	}
	return names
}
