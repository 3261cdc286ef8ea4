// Package file is the inventory that is a JSON or CSV file.
package file

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
)

// Config says where the inventory is.
type Config struct {
	Path config.Path `env:"FILE_PATH,required" accepted:"the path of the inventory file"`
	Type string      `env:"FILE_TYPE,required" choice:"csv,json"`
}

// Problems tells of a file that cannot be opened even when its type is not known, so that it is not read.
func (c Config) Problems() config.Problems {
	if c.Path == "" || c.Type == "csv" || c.Type == "json" {
		return nil
	}
	file, err := open(string(c.Path))
	if err != nil {
		return problemsOf(fmt.Errorf("inventory: %w", err))
	}
	_ = file.Close()
	return nil
}

// Files are the files that the inventory is read from.
func (c Config) Files() []string { return []string{string(c.Path)} }

// Provider answers from an inventory that was read into memory.
type Provider struct {
	config  Config
	current atomic.Pointer[content]
}

// content is the file as it was at one time.
type content struct {
	devices  *store
	modified time.Time
}

// Policy is the zero Policy: every device in the file is managed, and a file has no groups.
func (c Config) Policy() posture.Policy { return posture.Policy{} }

// Open reads the inventory and judges it as configuration. The strings are warnings for the operator.
func Open(c Config) (posture.Provider, []string, error) {
	p, warnings, err := New(c)
	if err != nil {
		return nil, nil, problemsOf(err)
	}
	return p, warnings, nil
}

// problemsOf are those of the configuration that keep the inventory from being read.
func problemsOf(err error) (all config.Problems) {
	accepted := "" // a line about what is in the file says what is wrong there
	switch {
	case errors.Is(err, fs.ErrNotExist):
		accepted = "a file that exists; a relative path begins in the folder in which the program starts"
	case errors.Is(err, fs.ErrPermission):
		accepted = "a file that the user who runs the program may read"
	}
	for line := range strings.Lines(err.Error()) {
		all = append(all, config.Problem{Variable: "FILE_PATH", Text: strings.TrimSuffix(line, "\n"), Accepted: accepted})
	}
	return all
}

// New makes a Provider and reads the inventory, as Reload does. The strings are warnings.
func New(c Config) (*Provider, []string, error) {
	p := &Provider{config: c}
	loaded, err := p.Reload()
	if err != nil {
		return nil, nil, err
	}
	loaded.Apply()
	return p, loaded.Warnings, nil
}

// Reload implements posture.Reloader. It reads the inventory, whole: one with a fault in it is not
// used in part, because what is missing in it would be refused without anybody knowing why.
func (p *Provider) Reload() (posture.Loaded, error) {
	path := string(p.config.Path)
	file, err := open(path)
	if err != nil {
		return posture.Loaded{}, fmt.Errorf("inventory: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return posture.Loaded{}, fmt.Errorf("inventory: %w", err)
	}
	read := readJSON
	if p.config.Type == "csv" {
		read = readCSV
	}
	in := newInventory(info.Size())
	if p.current.Load() != nil {
		in.batches = 1 // there are requests that can use the other processor
	}
	text := withoutMark(file)
	err = sniff(text, p.config.Type)
	if err == nil {
		err = read(text, in)
	}
	if err != nil {
		in.faults = append(in.faults, locate(err, file))
	}
	in.devices.fit()
	if len(in.faults) > 0 {
		err, size := in.err(path), in.devices.size
		release(size)
		return posture.Loaded{}, err
	}
	next := &content{in.devices, info.ModTime()}
	return posture.Loaded{
		Found:    next.summary(path) + next.columns(),
		Warnings: in.warnings(path),
		Apply: func() {
			if before := p.current.Swap(next); before != nil {
				release(before.devices.size)
			}
		},
	}, nil
}

// open opens a file, and refuses what is none: a pipe would be waited for, and no certificate be loaded
// anew meanwhile; a device may never end.
func open(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err == nil && info.Mode()&(fs.ModeNamedPipe|fs.ModeSocket|fs.ModeDevice) != 0 {
		return nil, fmt.Errorf("open %s: it is a pipe or a device, and not a file", path)
	}
	return os.Open(path)
}

// largeInventory is the size in memory, in bytes, from which an inventory is worth release.
const largeInventory = 16 << 20

// release returns to the system the memory of an inventory that nothing refers to any more. Else it
// would stay with the program until the garbage collector next has reason to run, which in one that
// does little may be minutes, and from then on sink slowly: after every reload of a large inventory it
// would seem to need twice as much. For a small one it would be more work than the reload itself.
func release(size int) {
	if size >= largeInventory {
		debug.FreeOSMemory()
	}
}

func (c *content) summary(path string) string {
	if c.devices.len() == 1 {
		return "1 device in " + path
	}
	return fmt.Sprintf("%d devices in %s", c.devices.len(), path)
}

// columns says what templates find, as they must write it: that department is not Department shows here, or in no
// certificate.
func (c *content) columns() string {
	if len(c.devices.names) == 0 {
		return ""
	}
	if len(c.devices.names) == 1 {
		return ", with the column " + listed(c.devices.names)
	}
	return ", with the columns " + listed(c.devices.names)
}

// Lookup implements posture.Provider. The device type is ignored: a file does not tell types apart.
func (p *Provider) Lookup(_ context.Context, q posture.Query) (posture.Device, error) {
	devices := p.current.Load().devices
	row, ok := devices.find(q.Identifier.Key())
	if !ok {
		return posture.Device{}, posture.ErrNotFound
	}
	found, err := devices.device(row)
	if err != nil {
		return posture.Device{}, err
	}
	return posture.Device{Identifier: found.identifier, Managed: true, Data: found.data}, nil
}

// Returns says which data about a device go to step-ca.
func (p *Provider) Returns(posture.DeviceType) string {
	return "the data in the inventory file is returned"
}

// InMemory implements posture.InMemory.
func (p *Provider) InMemory() {}

// Check implements posture.Checker. What could be wrong with the file was found when it was read.
func (p *Provider) Check(context.Context) (found string, warnings []string, err error) {
	now := p.current.Load()
	return now.summary(string(p.config.Path)) + now.columns(), nil, nil
}

// withoutMark drops a UTF-8 byte-order mark, which spreadsheets put at the beginning of a file.
func withoutMark(r io.Reader) *bufio.Reader {
	buffered := bufio.NewReaderSize(r, 64<<10)
	mark := []byte("\xef\xbb\xbf")
	if start, _ := buffered.Peek(len(mark)); bytes.Equal(start, mark) {
		_, _ = buffered.Discard(len(mark))
	}
	return buffered
}
