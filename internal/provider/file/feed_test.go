package file

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// loading is an inventory of several batches, and its faults: found by the reader and found by the index, in turn,
// each in another batch.
func loading(kind string) (content string, faults []string) {
	var text strings.Builder
	first, repeat, wrong := "%d,x\n", "0,y\n", "1,x,y\n"
	at := func(i int) string { return fmt.Sprintf("line %d: ", i+2) }
	texts := []string{`duplicate identifier "0" with different data`, "3 fields, but the header has 2"}
	if kind == "json" {
		first, repeat, wrong = `{"identifier":"%d"},`, `{"identifier":"0","data":{"a":1}},`, `{"identifier":5},`
		at = func(i int) string { return fmt.Sprintf("devices[%d]: ", i) }
		texts[1] = `the member "identifier" has the wrong type`
	}
	for i := range 8 * batchDevices {
		switch {
		case i%batchDevices != 7:
			fmt.Fprintf(&text, first, i)
		default:
			n := i / batchDevices
			text.WriteString([]string{repeat, wrong}[n%2])
			faults = append(faults, at(i)+texts[n%2])
		}
	}
	if kind == "csv" {
		return "Identifier,v\n" + text.String(), faults
	}
	return `{"devices":[` + text.String() + `{"identifier":"last"}`, faults
}

func readAll(in *inventory, kind string, content io.Reader) error {
	if kind == "csv" {
		return readCSV(withoutBOM(content), in)
	}
	return readJSON(withoutBOM(content), in)
}

func wantFaults(t *testing.T, in *inventory, want []string) {
	t.Helper()
	var got []string
	for _, fault := range in.faults {
		got = append(got, fault.Error())
	}
	if !slices.Equal(got, want) {
		t.Errorf("the faults are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestFaultsInOrder: the faults that the reader and the index find are reported in the order of the file, also those
// before a read error.
func TestFaultsInOrder(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"csv", "json"} {
		for _, batches := range []int{1, manyBatches} {
			content, faults := loading(kind)
			end := map[string]string{"csv": "", "json": "]}"}[kind]
			in := newInventory(int64(len(content)))
			in.batches = batches
			if err := readAll(in, kind, strings.NewReader(content+end)); err != nil {
				t.Errorf("%s: %v", kind, err)
			}
			wantFaults(t, in, faults)

			broken := io.MultiReader(strings.NewReader(content), iotest.ErrReader(errors.New("broken")))
			in = newInventory(int64(len(content)))
			in.batches = batches
			if err := readAll(in, kind, broken); err == nil || !strings.Contains(err.Error(), "broken") {
				t.Errorf("%s: the error is %v, want the read error", kind, err)
			}
			wantFaults(t, in, faults)
		}
	}
}

// settled waits until no more goroutines are running than before.
func settled(t *testing.T, before int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, want %d", runtime.NumGoroutine(), before)
		}
	}
}

// TestNoGoroutineLeaks: the goroutine of a load ends with it, also when reading fails. It is not parallel, because it
// counts the program's goroutines.
func TestNoGoroutineLeaks(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, content := range map[string]string{
		"csv":  "Identifier,v\n" + strings.Repeat("C02,x\n", 5*batchDevices) + "C02,\"x\"y\n",
		"json": `{"devices":[` + strings.Repeat(`{"identifier":"C02"},`, 5*batchDevices) + "x",
	} {
		kind := "csv"
		if content[0] == '{' {
			kind = "json"
		}
		in := newInventory(int64(len(content)))
		if err := readAll(in, kind, bytes.NewReader([]byte(content))); err == nil || in.repeats != 5*batchDevices-1 {
			t.Errorf("%s: error %v and %d repeats, want an error, and all repeats before it", kind, err, in.repeats)
		}
	}
	settled(t, before)
}

// TestPanicReachesTheCaller: a panic of the reader or of the index is raised again in load, where a reload recovers
// from it, and no goroutine is left.
func TestPanicReachesTheCaller(t *testing.T) {
	before := runtime.NumGoroutine()
	endless := func(out *feed) error {
		for {
			out.next(entry{})
		}
	}
	short := func(out *feed) error {
		out.next(entry{})
		return nil
	}
	for name, load := range map[string]func(*inventory) error{
		"reading":             func(in *inventory) error { return in.load(func(*feed) error { panic("found") }, nil) },
		"indexing, many rows": func(in *inventory) error { return in.load(endless, func(*batch, *batch) { panic("found") }) },
		"indexing, one row":   func(in *inventory) error { return in.load(short, func(*batch, *batch) { panic("found") }) },
	} {
		for _, batches := range []int{1, manyBatches} {
			func() {
				defer func() {
					if cause := recover(); cause != "found" {
						t.Errorf("%s: the panic is %v", name, cause)
					}
				}()
				in := newInventory(0)
				in.batches = batches
				t.Errorf("%s: load returned %v", name, load(in))
			}()
		}
	}
	settled(t, before)
}
