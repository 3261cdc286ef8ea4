// Package file is the inventory that is a file, in memory: JSON, CSV, or a list of identifiers.
//
// A map that encoding/csv or encoding/json fills would need a tenth of the code in store.go, feed.go, rows.go,
// csvrow.go and row.go. They exist because an inventory may have a million devices, and is reloaded while requests
// wait. BenchmarkOwnCode measures both, with a million devices of four columns on two processors:
//
//	      own code                      map[string]json.RawMessage
//	CSV   0.10 s,  78 bytes a device    1.1 s, 293 bytes a device
//	JSON  0.63 s, 115 bytes a device    1.5 s, 213 bytes a device
//
// The store has no pointers into its devices, so a garbage collection does not look at them; it would follow every
// pointer of a map, each time.
package file

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/filesys"
	"step-posture-connector/internal/posture"
)

// Config says where the inventory is.
type Config struct {
	// The inventory file.
	Path config.Path `env:"FILE_PATH,required" example:"devices.json" accepted:"the path of the inventory file"`
	// The format of the inventory file.
	Type string `env:"FILE_TYPE,required" example:"json" choice:"csv,json,lines"`

	facts bool
}

// ReadFacts makes what is opened read facts: a policy may ask for them. Without it they are data, or ignored.
func (c *Config) ReadFacts() { c.facts = true }

// Problems reports a file that cannot be opened also when FILE_TYPE is invalid: then New is not called.
func (c Config) Problems() config.Problems {
	if c.Path == "" || c.Type == "csv" || c.Type == "json" || c.Type == "lines" {
		return nil
	}
	file, err := filesys.Open(string(c.Path))
	if err != nil {
		return problemsOf(fmt.Errorf("inventory: %w", err))
	}
	_ = file.Close()
	return nil
}

// NoSnapshot says why there is no copy beside the inventory.
func (c Config) NoSnapshot() string {
	return "the inventory of the provider file is in memory already: it needs no copy"
}

// Files are the paths to watch for changes.
func (c Config) Files() []string { return []string{string(c.Path)} }

// Provider answers from an inventory in memory.
type Provider struct {
	config     Config
	vocabulary *vocabulary // nil where no facts are read
	current    atomic.Pointer[content]
}

// content is one version of the file.
type content struct {
	devices  *store
	modified time.Time
}

// Requirements are none: every device in the file is managed, unless it says otherwise.
func (c Config) Requirements() posture.Requirements { return posture.Requirements{} }

// Open reads the inventory; its faults are problems of the configuration. The strings are warnings for the operator.
func Open(c Config) (posture.Provider, []string, error) {
	p, warnings, err := New(c)
	if err != nil {
		return nil, nil, problemsOf(err)
	}
	return p, warnings, nil
}

// problemsOf converts the faults of an inventory to problems of the configuration.
func problemsOf(err error) (all config.Problems) {
	accepted := "" // a fault in the file itself says what is wrong there
	switch {
	case errors.Is(err, fs.ErrNotExist):
		accepted = "a file that exists; a relative path begins in " + config.StartFolder
	case errors.Is(err, fs.ErrPermission):
		accepted = "a file that the user who runs the program may read"
	case errors.Is(err, syscall.EISDIR):
		accepted = "the path of a file, not of a folder"
	}
	for line := range strings.Lines(err.Error()) {
		all = append(all, config.Problem{Variable: "FILE_PATH", Text: strings.TrimSuffix(line, "\n"), Accepted: accepted})
	}
	return all
}

// New makes a Provider and reads the inventory, as Reload does. The strings are warnings.
func New(c Config) (*Provider, []string, error) {
	p := &Provider{config: c}
	if c.facts {
		p.vocabulary = newVocabulary()
	}
	loaded, err := p.Reload()
	if err != nil {
		return nil, nil, err
	}
	loaded.Apply()
	return p, loaded.Warnings, nil
}

// Reload implements posture.Reloader. It reads the whole inventory, and refuses all of it for one fault: a device
// that was left out would be refused, and the administrator could not see why.
func (p *Provider) Reload() (posture.Loaded, error) {
	path := string(p.config.Path)
	file, err := filesys.Open(path)
	if err != nil {
		return posture.Loaded{}, fmt.Errorf("inventory: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return posture.Loaded{}, fmt.Errorf("inventory: %w", err)
	}
	read := readJSON
	switch p.config.Type {
	case "csv":
		read = readCSV
	case "lines":
		read = readLines
	}
	in := newInventory(info.Size())
	in.devices.vocabulary = p.vocabulary
	if p.current.Load() != nil {
		in.batches = 1 // requests need the other processor
	}
	text := withoutBOM(file)
	err = sniff(text, p.config.Type)
	if err == nil {
		err = read(text, in)
	}
	if err != nil {
		in.faults = append(in.faults, locate(err, file))
	}
	in.devices.Shrink()
	if len(in.faults) > 0 {
		err, size := in.err(path), in.devices.Size()
		release(size)
		return posture.Loaded{}, err
	}
	next := &content{in.devices, info.ModTime()}
	return posture.Loaded{
		Found:    next.summary(path) + next.columns() + next.devices.snapshot.origin(),
		Warnings: in.warnings(path),
		Apply: func() {
			if before := p.current.Swap(next); before != nil {
				release(before.devices.Size())
			}
		},
	}, nil
}

// Holds returns how many devices are in memory, and when their file was changed.
func (p *Provider) Holds() (devices int, changed time.Time) {
	c := p.current.Load()
	return c.devices.Len(), c.modified
}

// release returns to the system the memory of an inventory that is no longer referenced. Otherwise the program would
// keep it until the next garbage collection, minutes later when requests are rare, and then return it slowly: after
// every reload of a large inventory it would seem to need twice the memory. For a small inventory this would be more
// work than the reload itself.
func release(size int) {
	if size >= largeInventory {
		debug.FreeOSMemory()
	}
}

func (c *content) summary(path string) string {
	if c.devices.Len() == 1 {
		return "1 device in " + path
	}
	return fmt.Sprintf("%d devices in %s", c.devices.Len(), path)
}

// columns lists the columns as templates must name them. If a template has Department in place of department, only this
// list shows it: step-ca leaves the field out without an error.
func (c *content) columns() string {
	facts := ""
	if len(c.devices.factNames) > 0 {
		facts = ", with facts: " + listed(c.devices.factNames)
	}
	switch len(c.devices.names) {
	case 0:
		return facts
	case 1:
		return ", with the column " + listed(c.devices.names) + facts
	}
	return ", with the columns " + listed(c.devices.names) + facts
}

// Lookup implements posture.Provider. It ignores the device type: who asks judges that of the record.
func (p *Provider) Lookup(_ context.Context, q posture.Query) (posture.Device, error) {
	devices := p.current.Load().devices
	if err := devices.fetched(q); err != nil {
		return posture.Device{}, err
	}
	row, ok := devices.Find(q.Identifier.Key())
	if !ok {
		return posture.Device{}, posture.ErrNotFound
	}
	if err := devices.marks[q.Identifier.Key()]; err != nil {
		return posture.Device{}, err
	}
	return devices.record(row, q.Facts, time.Now)
}

// record makes a device from a row, for a lookup and for a list.
func (s *store) record(row []byte, asked posture.FactSet, now func() time.Time) (posture.Device, error) {
	known := s.vocabulary
	var found device
	var err error
	if known != nil && s.columns != nil && !asked.Has(posture.Document) {
		found = identified(row) // the policy makes its own data
	} else if found, err = s.device(row); err != nil {
		return posture.Device{}, err
	}
	if known != nil && (s.hasFacts || asked.Has(known.attributes)) {
		return s.withFacts(row, found, asked, now())
	}
	// As managed does, which would copy the device: it is large.
	return posture.Device{Identifier: found.identifier, Facts: posture.Facts{Managed: posture.Known(true)}, Data: found.data}, nil
}

// Returns says which data about a device goes to step-ca.
func (p *Provider) Returns(posture.DeviceType) string {
	return "the data in the inventory file is returned"
}

// Gives implements posture.Partial: without a policy file the facts in the file are data, and are not read; and a
// snapshot has only those that were fetched.
func (p *Provider) Gives() posture.FactSet {
	return p.current.Load().devices.gives() &^ posture.Document
}

// InMemory implements posture.InMemory.
func (p *Provider) InMemory() {}

// Check implements posture.Checker. The faults of the file were found when it was read.
func (p *Provider) Check(context.Context) (found string, warnings []string, err error) {
	now := p.current.Load()
	return now.summary(string(p.config.Path)) + now.columns() + now.devices.snapshot.origin(), nil, nil
}

// withoutBOM drops the UTF-8 byte-order mark (BOM) that spreadsheets write at the beginning of a file.
func withoutBOM(r io.Reader) *bufio.Reader {
	buffered := bufio.NewReaderSize(r, readBuffer)
	bom := []byte("\xef\xbb\xbf")
	if start, _ := buffered.Peek(len(bom)); bytes.Equal(start, bom) {
		_, _ = buffered.Discard(len(bom))
	}
	return buffered
}
