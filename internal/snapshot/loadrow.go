package snapshot

import (
	"errors"
	"strings"

	"step-posture-connector/internal/posture"
)

// element reads a device and adds it to its list.
func (r *reader) element() error {
	if len(r.definitions) == 0 {
		r.definitions = map[string]*posture.Definition{}
		for _, d := range r.fields.vocabulary {
			r.definitions[d.Name] = d
		}
	}
	var e fileElement
	if err := readContainer(r.decoder, '{', func() error { return r.elementMember(&e) }); err != nil {
		return err
	}
	b := r.lists[posture.DeviceType(e.list)]
	if b == nil || !e.hasFacts || e.marks == duplicate|damaged {
		return errFormat
	}
	if b.records++; b.records > maxRecords {
		return errTooMany
	}
	identifier := strings.Trim(e.device.Identifier, " ")
	hash, err := b.table.Hash([]byte(identifier))
	if err != nil {
		return errFormat
	}
	row := b.writer.mark(identifier, e.marks)
	if e.marks == 0 {
		row = b.writer.write(&e.device, b.facts)
	}
	before := b.table.Len()
	if err := b.keep(hash, row); err != nil {
		return err
	}
	if b.table.Len() == before {
		return errors.New("a device stands in it twice")
	}
	return nil
}

// fileElement is a device of the file.
type fileElement struct {
	device   posture.Device
	list     string
	marks    byte
	hasFacts bool
}

// elementMember reads a member of a device. The decoder refuses duplicate ones.
func (r *reader) elementMember(e *fileElement) error {
	name, err := readString(r.decoder)
	if err != nil {
		return err
	}
	switch name {
	case "identifier":
		e.device.Identifier, err = readString(r.decoder)
	case "list":
		e.list, err = readString(r.decoder)
		if e.list == "" && err == nil {
			err = errFormat
		}
	case "duplicate":
		e.marks |= duplicate
		err = r.yes()
	case "damaged":
		e.marks |= damaged
		err = r.yes()
	case "data":
		value, fault := r.decoder.ReadValue()
		if fault == nil && value.Kind() != '{' {
			fault = errFormat
		}
		e.device.Data, err = append([]byte(nil), value...), fault
	case "facts":
		e.hasFacts = true
		err = readContainer(r.decoder, '{', func() error { return r.factsMember(&e.device) })
	default:
		err = errFormat
	}
	return err
}

func (r *reader) yes() error {
	if token, err := r.decoder.ReadToken(); err != nil || token.Kind() != 't' {
		return errors.Join(errFormat, err)
	}
	return nil
}

// factsMember reads the facts of a device, or of its user.
func (r *reader) factsMember(d *posture.Device) error {
	about, err := readString(r.decoder)
	if err != nil {
		return err
	}
	return readContainer(r.decoder, '{', func() error {
		name, err := readString(r.decoder)
		if err != nil {
			return err
		}
		definition := r.definitions[about+"."+name]
		if definition == nil || definition.Name == identifierName {
			return errFormat
		}
		if definition.Name == managedName && r.decoder.PeekKind() == 'n' {
			_, err := r.decoder.ReadToken()
			return err
		}
		value, err := readValue(r.decoder, definition.Type)
		if err != nil {
			return err
		}
		definition.Put(d, value)
		return nil
	})
}
