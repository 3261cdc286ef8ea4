package file

import (
	"context"
	"errors"
	"fmt"
	"time"

	"step-posture-connector/internal/posture"
)

// Lists implements posture.Lister: a file is one list of all devices.
func (p *Provider) Lists() []posture.DeviceType { return []posture.DeviceType{""} }

// ListGives implements posture.Lister.
func (p *Provider) ListGives() posture.FactSet { return p.current.Load().devices.gives() }

// List implements posture.Lister. It lists the version of the file that is in effect when it begins, one device after
// another, and makes each as a lookup does.
func (p *Provider) List(ctx context.Context, list posture.List, each func(posture.Listing) error) (posture.Listed, error) {
	if list.Type != "" {
		return posture.Listed{}, fmt.Errorf("list %q: a file has one list of all devices", list.Type)
	}
	devices := p.current.Load().devices
	listed := posture.Listed{Facts: devices.gives() & list.Facts}
	for row := range devices.All() {
		if err := ctx.Err(); err != nil {
			return posture.Listed{}, fmt.Errorf("list: %w", err)
		}
		for _, one := range devices.listings(row, listed.Facts) {
			listed.Total++
			if err := each(one); err != nil {
				return posture.Listed{}, err
			}
		}
	}
	return listed, nil
}

// listings are the records of a row: those of an identifier that a snapshot had several records of are two, without
// anything that could be taken for one of them.
func (s *store) listings(row []byte, asked posture.FactSet) []posture.Listing {
	only := posture.Listing{Device: posture.Device{Identifier: identified(row).identifier}}
	if len(s.marks) > 0 {
		id, err := posture.ParseIdentifier(only.Identifier)
		switch marked := s.marks[id.Key()]; {
		case errors.Is(marked, posture.ErrAmbiguous):
			return []posture.Listing{only, only}
		case marked != nil, err != nil:
			only.Damaged = true
			return []posture.Listing{only}
		}
	}
	found, err := s.record(row, asked, time.Now)
	if err != nil {
		only.Damaged = true
		return []posture.Listing{only}
	}
	if !asked.Has(posture.Document) {
		found.Data = nil // a lookup has it anyway where no policy reads the file
	}
	return []posture.Listing{{Device: found}}
}
