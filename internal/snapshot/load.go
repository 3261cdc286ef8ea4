package snapshot

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/filesys"
	"step-posture-connector/internal/posture"
)

var (
	errSettings = errors.New("it is of another server, account or mapping")
	errFuture   = errors.New("it is from the future: check the clock")
	errOld      = errors.New("it is older than max_age")
	errFormat   = errors.New("it is not a file as this version writes it")
)

// load loads the file of the copy. One that cannot be used is no copy: the file is as good as missing, and a fetch is due at
// once.
func (k *Keeper) load() {
	if k.Settings.Path == "" || len(k.kinds) == 0 {
		return
	}
	s := k.state.Load()
	now := read(s.clock)
	loaded, err := k.loadFile(now)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return
	case errors.Is(err, errOld):
		k.inform("the file is not used: " + err.Error())
		return
	case err != nil:
		l := s.lists[k.kinds[0]]
		s.measures.alarm(l.kind, alarmUnusable)
		k.notify(l, now, alarmUnusable, "the file is not used: "+filesys.WithoutPath(err).Error())
		return
	}
	for _, c := range loaded {
		l := s.lists[c.list]
		l.copy, l.tried = c, c.facts
		l.due = c.begun.boot + k.Settings.Every
		k.inform(fmt.Sprintf("%s was loaded from the file: %d devices, fetched %v ago", describe(c.list), c.table.Len(), now.since(c.begun).Round(time.Second)))
	}
}

// loadFile reads the file. All of it is checked before any of it is used.
func (k *Keeper) loadFile(now moment) ([]*copied, error) {
	user, err := checkFolder(k.Settings.Path, k.ByHand)
	if err != nil {
		return nil, err
	}
	file, err := openOwn(k.Settings.Path, user)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || info.Size() > maxFileBytes {
		return nil, errors.Join(errTooLarge, err)
	}
	return k.readDocument(file, now)
}

// readDocument reads the document that doc.go describes, member by member in the order in which they are written.
func (k *Keeper) readDocument(file io.Reader, now moment) (loaded []*copied, err error) {
	text := &bounded{from: bufio.NewReaderSize(io.LimitReader(file, maxFileBytes), writeBuffer)}
	r := &reader{Keeper: k, now: now, decoder: jsontext.NewDecoder(text)}
	text.decoder = r.decoder
	defer func() {
		if syntax := (*jsontext.SyntacticError)(nil); errors.As(err, &syntax) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			loaded, err = nil, errors.New("it is cut off or damaged")
		}
	}()
	if err := readContainer(r.decoder, '{', r.once(r.document)); err != nil {
		return nil, err
	}
	if _, err := r.decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errFormat // something after the document
	}
	for _, kind := range k.kinds {
		b := r.lists[kind]
		if b == nil {
			continue
		}
		c := b.seal()
		if c.usable(now, k.Settings.MaxAge) {
			loaded = append(loaded, c)
		}
	}
	if len(loaded) == 0 {
		return nil, errOld
	}
	return loaded, nil
}

// reader reads one file.
type reader struct {
	*Keeper

	now     moment
	decoder *jsontext.Decoder
	// definitions are those of the vocabulary, by name.
	definitions map[string]*posture.Definition
	lists       map[posture.DeviceType]*building
}

// once makes a function that reads all members of an object, for readContainer.
func (r *reader) once(all func() error) func() error {
	done := false
	return func() error {
		if done {
			return errFormat // a member that is not written
		}
		done = true
		return all()
	}
}

func (r *reader) document() error {
	if err := r.member("format"); err != nil {
		return err
	}
	if token, err := r.decoder.ReadToken(); err != nil || token.Kind() != '0' || token.String() != fmt.Sprint(formatVersion) {
		return errors.Join(errFormat, err)
	}
	for _, want := range [...]struct {
		name, value string
		err         error
	}{{"inventory", r.Inventory, errors.New("it is of another inventory")}, {"settings", settingsHash(r.Kind, r.Account), errSettings}} {
		if err := r.member(want.name); err != nil {
			return err
		}
		if got, err := readString(r.decoder); err != nil || got != want.value {
			return errors.Join(want.err, err)
		}
	}
	whole, err := r.head("")
	if err != nil {
		return err
	}
	r.lists = map[posture.DeviceType]*building{"": whole}
	if r.kinds[0] != "" {
		r.lists = map[posture.DeviceType]*building{}
		if err := r.member("lists"); err != nil {
			return err
		}
		if err := readContainer(r.decoder, '{', r.list); err != nil {
			return err
		}
	}
	if err := r.member("devices"); err != nil {
		return err
	}
	if err := readContainer(r.decoder, '[', r.element); err != nil {
		return err
	}
	if err := r.member("end"); err != nil {
		return err
	}
	if token, err := r.decoder.ReadToken(); err != nil || token.Kind() != 't' {
		return errors.Join(errFormat, err)
	}
	return nil
}

// member reads the name of the next member.
func (r *reader) member(name string) error {
	if r.decoder.PeekKind() != '"' {
		_, err := r.decoder.ReadToken()
		return errors.Join(errFormat, err)
	}
	if got, err := readString(r.decoder); err != nil || got != name {
		return errors.Join(errFormat, err)
	}
	return nil
}

// list reads one of lists.
func (r *reader) list() error {
	name, err := readString(r.decoder)
	if err != nil {
		return err
	}
	kind := posture.DeviceType(name)
	if _, known := r.state.Load().lists[kind]; !known {
		return errSettings
	}
	return readContainer(r.decoder, '{', r.once(func() error {
		b, err := r.head(kind)
		r.lists[kind] = b
		return err
	}))
}

// head reads what is known of a list.
func (r *reader) head(kind posture.DeviceType) (*building, error) {
	if err := r.member("begun_at"); err != nil {
		return nil, err
	}
	text, err := readString(r.decoder)
	if err != nil {
		return nil, err
	}
	wall, err := readTime(text)
	if err != nil {
		return nil, err
	}
	if wall.After(r.now.wall) {
		return nil, errFuture
	}
	facts, err := r.factNames()
	if err != nil {
		return nil, err
	}
	// Where the machine was booted since, its clock says nothing of the time before: the age goes on from that by the wall
	// clock.
	b := build(r.fields, kind, facts, moment{wall, r.now.boot - r.now.wall.Sub(wall)})
	if b.total, err = r.total(); err != nil {
		return nil, err
	}
	if err := r.member("complete"); err != nil {
		return nil, err
	}
	token, err := r.decoder.ReadToken()
	if err != nil || token.Kind() != 't' && token.Kind() != 'f' {
		return nil, errors.Join(errFormat, err)
	}
	b.complete = token.Bool()
	if b.complete && b.total < 0 {
		return nil, errFormat
	}
	return b, nil
}

func (r *reader) factNames() (facts posture.FactSet, err error) {
	if err := r.member("facts"); err != nil {
		return 0, err
	}
	sets := map[string]posture.FactSet{documentName: posture.Document}
	for _, d := range r.fields.vocabulary {
		sets[d.Name] = d.Set()
	}
	err = readContainer(r.decoder, '[', func() error {
		name, err := readString(r.decoder)
		if err != nil {
			return err
		}
		set, known := sets[name]
		if !known || facts.Has(set) {
			return errFormat
		}
		facts |= set
		return nil
	})
	if err == nil && !facts.Has(r.fields.always) {
		err = errFormat
	}
	return facts, err
}

func (r *reader) total() (int, error) {
	if err := r.member("total"); err != nil {
		return 0, err
	}
	token, err := r.decoder.ReadToken()
	switch {
	case err != nil:
		return 0, err
	case token.Kind() == 'n':
		return -1, nil
	case token.Kind() != '0':
		return 0, errFormat
	}
	var total int
	if n, err := fmt.Sscanf(token.String(), "%d", &total); err != nil || n != 1 || fmt.Sprint(total) != token.String() || total < 0 || total > maxRecords {
		return 0, errFormat
	}
	return total, nil
}
