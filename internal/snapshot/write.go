package snapshot

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/compact"
	"step-posture-connector/internal/posture"
)

// formatVersion is that of the file; a file of another one is not used.
const formatVersion = 1

// settingsHash tells the records of one account from those of another, without saying which.
func settingsHash(kind, account string) string {
	hash := sha256.Sum256([]byte(kind + "\x00" + account))
	return hex.EncodeToString(hash[:])
}

// saved is what is written of a list.
type saved struct {
	*copied
	hidden map[string]time.Duration
}

// write writes the file of the copy. A fault is an alarm only: the copy answers as before.
//
// A device that is hidden is written as a damaged one, which is asked live after a restart too; the file is written again
// when more are hidden, at most once a minute. One that was hidden since then answers after a restart, until max_age: the
// bound of the copy holds, because its list has given it. Of a list whose hidden devices are not known nothing is written.
func (k *Keeper) write() {
	if k.Settings.Path == "" {
		return
	}
	s := k.state.Load()
	s.writing.Lock()
	defer s.writing.Unlock()
	began := time.Now()
	s.mu.Lock()
	now := read(s.clock)
	var lists []saved
	for _, kind := range k.kinds {
		l := s.lists[kind]
		l.unsaved = false
		if l.copy != nil && !l.hasOverflow {
			lists = append(lists, saved{l.copy, maps.Clone(l.hidden)})
		}
	}
	s.mu.Unlock()
	if len(lists) == 0 {
		// What was written before has devices that are hidden now.
		_ = os.Remove(k.Settings.Path)
		return
	}
	err := replaceFile(k.Settings.Path, func(w io.Writer) error { return k.writeDocument(w, lists) })
	s.mu.Lock()
	defer s.mu.Unlock()
	// Writing takes at most a twentieth of the time.
	s.nextWrite = read(s.clock).boot + max(rewriteEvery, rewriteShare*time.Since(began))
	if err != nil {
		l := s.lists[lists[0].list]
		s.measures.alarm(l.kind, alarmUnwritten)
		k.notify(l, now, alarmUnwritten, "write the file: "+err.Error()+"; the copy does not outlive a restart")
	}
}

// rewrite writes the file again where devices were hidden since.
func (k *Keeper) rewrite() {
	s := k.state.Load()
	s.mu.RLock()
	due := false
	for _, l := range s.lists {
		due = due || l.unsaved && l.copy != nil
	}
	due = due && s.clock.Boot() >= s.nextWrite
	s.mu.RUnlock()
	if due {
		k.write()
	}
}

// writeDocument writes the document that doc.go describes.
func (k *Keeper) writeDocument(to io.Writer, lists []saved) error {
	w := bufio.NewWriterSize(to, writeBuffer)
	whole := *lists[0].copied
	for _, l := range lists[1:] {
		if l.begun.wall.Before(whole.begun.wall) {
			whole.begun = l.begun
		}
		whole.facts &= l.facts
		whole.complete = whole.complete && l.complete
		if whole.total < 0 || l.total < 0 {
			whole.total = -1
		} else {
			whole.total += l.total
		}
	}
	line := append([]byte(`{"format":`), strconv.Itoa(formatVersion)...)
	line = append(quoted(append(line, ",\n\"inventory\":"...), k.Inventory), ",\n\"settings\":"...)
	line = append(quoted(line, settingsHash(k.Kind, k.Account)), ",\n"...)
	line = append(appendHead(line, &whole, ",\n"), ",\n"...)
	if k.kinds[0] != "" {
		line = append(line, `"lists":{`...)
		for i, l := range lists {
			if i > 0 {
				line = append(line, ',')
			}
			line = append(quoted(line, string(l.list)), ":{"...)
			line = append(appendHead(line, l.copied, ","), '}')
		}
		line = append(line, "},\n"...)
	}
	line = append(line, `"devices":[`...)
	if _, err := w.Write(line); err != nil {
		return err
	}
	first := true
	for _, l := range lists {
		for row := range l.table.All() {
			line = line[:0]
			if !first {
				line = append(line, ',')
			}
			first = false
			if _, err := w.Write(k.fields.appendElement(append(line, '\n'), &l, row)); err != nil {
				return err
			}
		}
	}
	if _, err := w.WriteString("\n],\n\"end\":true}\n"); err != nil {
		return err
	}
	return w.Flush()
}

// appendHead appends what is known of a list.
func appendHead(to []byte, c *copied, separator string) []byte {
	to = append(to, `"begun_at":`...)
	// Whole seconds, rounded down: a copy may seem older than it is, and never younger.
	to = append(quoted(to, c.begun.wall.UTC().Truncate(time.Second).Format(time.RFC3339)), separator...)
	to = append(to, `"facts":[`...)
	names := c.facts.Names()
	if c.facts.Has(posture.Document) {
		names = append(names, documentName)
	}
	for i, name := range names {
		if i > 0 {
			to = append(to, ',')
		}
		to = quoted(to, name)
	}
	to = append(append(to, ']'), separator...)
	to = append(to, `"total":`...)
	if c.total < 0 {
		to = append(to, "null"...)
	} else {
		to = strconv.AppendInt(to, int64(c.total), 10)
	}
	return fmt.Appendf(append(to, separator...), `"complete":%t`, c.complete)
}

// documentName is posture.Document in the file.
const documentName = "data"

// unknownFacts are the facts of a device about which nothing is said.
const unknownFacts = `"facts":{"device":{"managed":null}}}`

// appendElement appends a device.
func (f *fields) appendElement(to []byte, l *saved, row []byte) []byte {
	var d posture.Device
	marks := marksOf(row)
	if !f.readRow(row, l.texts, l.facts, &d) {
		marks |= damaged
	}
	if len(l.hidden) > 0 {
		identifier, _ := compact.CutField(row)
		if key, err := posture.AppendKey(nil, identifier); err == nil {
			if _, hidden := l.hidden[string(key)]; hidden {
				marks |= damaged
			}
		}
	}
	to = quoted(append(to, `{"identifier":`...), d.Identifier)
	if l.list != "" {
		to = quoted(append(to, `,"list":`...), string(l.list))
	}
	begin := len(to)
	if marks == 0 {
		if to, ok := f.appendFacts(to, &d); ok {
			return to
		}
		// JSON cannot have one of its values as it is.
		marks = damaged
	}
	to = to[:begin]
	if marks&duplicate != 0 {
		to = append(to, `,"duplicate":true,`...)
	} else {
		to = append(to, `,"damaged":true,`...)
	}
	return append(to, unknownFacts...)
}

// appendFacts appends data and facts of a device; it returns false where a value cannot be written as it is.
func (f *fields) appendFacts(to []byte, d *posture.Device) ([]byte, bool) {
	if len(d.Data) > 0 {
		data := jsontext.Value(d.Data)
		if data.Kind() != '{' || !data.IsValid() {
			return to, false
		}
		to = append(append(to, `,"data":`...), data...)
	}
	device, user, ok := []byte(nil), []byte(nil), true
	for _, definition := range f.vocabulary {
		about, name := cutName(definition.Name)
		in := &device
		if about == aboutUser {
			in = &user
		}
		value, known := definition.Get(d)
		switch {
		case definition.Name == identifierName:
		case known:
			*in = append(quoted(append(*in, ','), name), ':')
			if *in, known = appendValue(*in, value); !known {
				ok = false
			}
		case definition.Name == managedName:
			*in = append(*in, `,"managed":null`...)
		}
	}
	to = append(to, `,"facts":{"device":{`...)
	to = append(append(to, device[1:]...), '}') // managed is always written
	if len(user) > 0 {
		to = append(append(append(to, `,"user":{`...), user[1:]...), '}')
	}
	return append(to, "}}"...), ok
}

func quoted(to []byte, text string) []byte {
	to, _ = jsontext.AppendQuote(to, text)
	return to
}
