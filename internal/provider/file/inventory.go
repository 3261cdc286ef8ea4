package file

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strings"

	"step-posture-connector/internal/compact"
)

// inventory collects the devices of one file, and its faults.
type inventory struct {
	devices *store
	size    int64  // of the file, in bytes
	batches int    // how many are in use at once
	place   string // format of a place in the file, such as "line %d"
	faults  []error
	more    int // faults beyond maxFaults
	repeats int
	repeat  int // place of the first exact repeat
	remarks []string
	noted   [noteKinds]noted
}

func newInventory(size int64) *inventory {
	return &inventory{devices: newStore(), size: size, batches: manyBatches}
}

// reserve makes room in the index for the devices of the whole file, estimated from the first batch.
func (in *inventory) reserve(read *batch) {
	if in.devices.Len() == 0 && len(read.entries) > 0 {
		// Assume that the others are as long. The limit is for files whose first devices are the shortest.
		length := max(len(read.text)/len(read.entries), shortRow)
		in.devices.Reserve(int(in.size / int64(length)))
	}
}

// add indexes a batch of rows.
func (in *inventory) add(rows *batch) {
	for i := range rows.entries {
		in.devices.Prefetch(rows.entries[i].hash)
	}
	// Scanning the batch as a whole costs almost nothing, and a finding is rare.
	odd := in.devices.columns != nil && isOdd(rows.text)
	for e, row := range rows.all() {
		if odd && e.fault == nil {
			e.examine(row)
		}
		if e.fault == nil {
			e.fault = in.addRow(e, row)
		}
		switch {
		case e.fault != nil:
			in.fault(e.place, e.fault)
		case e.notes != 0:
			in.note(e, row)
		}
	}
}

func (in *inventory) addRow(e *entry, row []byte) error {
	before, repeated := in.devices.Add(e.hash, row)
	if in.devices.snapshot != nil {
		return in.devices.markRow(e.mark, row, repeated)
	}
	if !repeated {
		return nil
	}
	if len(in.faults) == maxFaults && !bytes.Equal(before, row) {
		// Very likely one more fault, and the file is refused anyway: comparing a large device thousands of
		// times would take minutes.
		return errNotCompared
	}
	same, err := in.devices.sameData(before, row)
	switch {
	case err != nil:
		return err
	case !same:
		identifier, _ := compact.CutField(row)
		return fmt.Errorf("duplicate identifier %q with different data", identifier)
	}
	in.repeats++
	if in.repeats == 1 {
		in.repeat = e.place
	}
	return nil
}

var errNotCompared = errors.New("duplicate identifier")

func (in *inventory) fault(place int, err error) {
	if several := refusals(nil); errors.As(err, &several) {
		for _, one := range several {
			in.fault(place, one)
		}
		return
	}
	if len(in.faults) == maxFaults {
		in.more++
		return
	}
	in.faults = append(in.faults, fmt.Errorf(in.place+": %w", place, err))
}

// err returns the faults that were found, each with the file's name.
func (in *inventory) err(path string) error {
	if in.more > 0 {
		in.faults = append(in.faults, fmt.Errorf("and %d more", in.more))
	}
	var named []error
	for _, fault := range in.faults {
		all := refusals{fault}
		_ = errors.As(fault, &all) // those of a header
		for _, one := range all {
			named = append(named, fmt.Errorf("inventory %s: %w", path, one))
		}
	}
	return errors.Join(named...)
}

func (in *inventory) warnings(path string) []string {
	var warnings []string
	if in.devices.Len() == 0 {
		warnings = append(warnings, fmt.Sprintf("inventory %s: it has no devices; every request will be refused", path))
	}
	for _, text := range append(in.remarks, in.notes()...) {
		warnings = append(warnings, fmt.Sprintf("inventory %s: %s", path, text))
	}
	if in.repeats > 0 {
		warnings = append(warnings, fmt.Sprintf("inventory %s: "+in.place+": exact repeat of a device (%d in the file)", path, in.repeat, in.repeats))
	}
	return warnings
}

// sameJSON compares two JSON texts by value: white space, the order of members and the notation of strings and
// numbers make no difference.
func sameJSON(a, b json.RawMessage) bool {
	if bytes.Equal(a, b) {
		return true
	}
	x, errX := decodeValue(a)
	y, errY := decodeValue(b)
	return errX == nil && errY == nil && reflect.DeepEqual(x, y)
}

func decodeValue(text json.RawMessage) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, fmt.Errorf("decode value: %w", err)
	}
	return normalNumbers(value), nil
}

// normalNumbers replaces each number by a form that equal numbers share, without losing a digit.
func normalNumbers(value any) any {
	switch v := value.(type) {
	case json.Number:
		return json.Number(normalNumber(v.String()))
	case []any:
		for i := range v {
			v[i] = normalNumbers(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = normalNumbers(v[name])
		}
	}
	return value
}

// normalNumber writes a JSON number as sign, digits without zeros at either end, and exponent:
// 100, 1e2 and 10.0E+1 are all 1e2.
func normalNumber(text string) string {
	rest, negative := strings.CutPrefix(text, "-")
	mantissa, exponentText, _ := strings.Cut(strings.ToLower(rest), "e")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	significant := strings.TrimRight(digits, "0")
	if significant == "" {
		return "0"
	}
	exponent := new(big.Int)
	exponent.SetString(cmp.Or(strings.TrimPrefix(exponentText, "+"), "0"), 10)
	exponent.Add(exponent, big.NewInt(int64(len(digits)-len(significant)-len(fraction))))
	if negative {
		significant = "-" + significant
	}
	return significant + "e" + exponent.String()
}
