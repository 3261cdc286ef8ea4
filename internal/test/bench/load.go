package main

import (
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// readArgument, as the first one, makes this program read an inventory once instead of measuring.
const readArgument = "read"

// readOnce reads an inventory as the standard library does, and keeps nothing of it. Arguments: the
// format and the path.
func readOnce(args []string) error {
	if len(args) != 2 {
		return errors.New("read: want a format and a path")
	}
	file, err := os.Open(args[1])
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	defer file.Close()
	count := 0
	if args[0] == formatJSON {
		count, err = countJSON(file)
	} else {
		count, err = countCSV(file)
	}
	if err == nil && count == 0 {
		err = errors.New("it has no devices")
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", args[0], err)
	}
	return nil
}

func countCSV(in io.Reader) (int, error) {
	rows := csv.NewReader(in)
	rows.ReuseRecord = true
	for count := -1; ; count++ { // the header is no device
		switch _, err := rows.Read(); {
		case errors.Is(err, io.EOF):
			return max(count, 0), nil
		case err != nil:
			return 0, err
		}
	}
}

func countJSON(in io.Reader) (int, error) {
	decoder := json.NewDecoder(in)
	for range 3 { // { "devices" [
		if _, err := decoder.Token(); err != nil {
			return 0, err
		}
	}
	count := 0
	for ; decoder.More(); count++ {
		var entry struct {
			Identifier string
			Data       json.RawMessage
		}
		if err := decoder.Decode(&entry); err != nil {
			return 0, err
		}
	}
	return count, nil
}

// loadGoals are what loading a format may cost.
type loadGoals struct {
	ready, peak float64 // bytes a device
	time        float64 // as a multiple of reading the file
}

// loaded is what one start came to.
type loaded struct {
	memory  memory
	toReady time.Duration
}

// loading measures memory and time until the daemon is ready, for both formats.
func (b *bench) loading(ctx context.Context) error {
	var times []row
	for _, one := range []struct {
		format, library string
		goals           loadGoals
	}{
		{formatCSV, "encoding/csv", loadGoals{ready: 100, peak: 160, time: 1.2}},
		{formatJSON, "encoding/json", loadGoals{ready: 140, peak: 280, time: 1.6}},
	} {
		timed, err := b.load(ctx, one.format, one.library, one.goals)
		if err != nil {
			return err
		}
		times = append(times, timed)
	}
	b.rows = append(b.rows, times...)
	return nil
}

// load appends the rows of memory, and returns that of time.
func (b *bench) load(ctx context.Context, format, library string, goals loadGoals) (row, error) {
	empty, err := b.folder.inventory(format, 1)
	if err != nil {
		return row{}, err
	}
	large, err := b.folder.inventory(format, b.scale.large)
	if err != nil {
		return row{}, err
	}
	var without, with []loaded
	var read []float64
	for n := range b.scale.loads {
		b.say("loading %s: %d of %d", format, n+1, b.scale.loads)
		took, err := timeReading(ctx, large)
		if err != nil {
			return row{}, err
		}
		read = append(read, took)
		for _, one := range []struct {
			in   inventory
			into *[]loaded
		}{{empty, &without}, {large, &with}} {
			l, err := b.loadOnce(ctx, one.in)
			if err != nil {
				return row{}, err
			}
			*one.into = append(*one.into, l)
		}
	}
	name := strings.ToUpper(format)
	for _, one := range []struct {
		what  string
		most  float64
		value func(loaded) float64
	}{
		{"at ready", goals.ready, func(l loaded) float64 { return l.memory.now }},
		{"at the peak while loading", goals.peak, func(l loaded) float64 { return l.memory.peak }},
	} {
		base := medianOf(without, one.value)
		r := within(fmt.Sprintf("memory a device %s, %s, %s", one.what, name, devices(large.devices)),
			(medianOf(with, one.value)-base)/float64(large.devices), wholeBytes, one.most, fmt.Sprintf("≤ %s bytes over an empty daemon", short(one.most)))
		r.floor = mebibytes(base)
		b.rows = append(b.rows, r)
	}
	// The fastest: other work of the machine can only make a start slower.
	ready := slices.MinFunc(with, func(a, b loaded) int { return cmp.Compare(a.toReady, b.toReady) }).toReady
	return compared(fmt.Sprintf("time to ready, %s, %s", name, devices(large.devices)), slices.Min(read), ready.Seconds(), seconds, goals.time, library), nil
}

// timeReading is how long a process takes that reads the file once, in seconds.
func timeReading(ctx context.Context, in inventory) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	command := self(ctx, readArgument, in.format, in.path)
	began := time.Now()
	if output, err := command.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("read %s: %w\n%s", in.format, err, output)
	}
	return time.Since(began).Seconds(), nil
}

func (b *bench) loadOnce(ctx context.Context, in inventory) (loaded, error) {
	t, err := b.daemon(ctx, in, false)
	if err != nil {
		return loaded{}, err
	}
	m, err := t.memory()
	if err != nil {
		return loaded{}, err
	}
	return loaded{m, t.toReady}, b.end(t.process)
}
