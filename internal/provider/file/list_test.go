package file_test

import (
	"context"
	"errors"
	"os"
	"reflect"
	"testing"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/file"
)

// listed returns the records of a list by their identifiers.
func listed(t *testing.T, p *file.Provider, facts posture.FactSet) (map[string][]posture.Listing, posture.Listed) {
	t.Helper()
	all := map[string][]posture.Listing{}
	total, err := p.List(t.Context(), posture.List{Facts: facts}, func(one posture.Listing) error {
		all[one.Identifier] = append(all[one.Identifier], one)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all, total
}

const everyColumn = `Identifier,team,device.serial_number,device.udid,device.name,device.model,device.type,device.os,device.os_version,device.managed,device.supervised,device.compliant,device.encrypted,device.ownership,device.last_seen,device.enrolled_at,device.groups,device.attributes,user.username,user.realname,user.email_address,user.position,user.department
C02,blue,C02,U-1,'=Mac,MacBook,computer,macOS,15.4,true,true,false,true,personal,2026-01-31T15:04:05Z,2026-01-31T15:04:05.9+01:00,a;b,"{""asset"":""A-17""}",ada,Ada,ada@example.com,Countess,R&D
C03,red,,,,,mobiledevice,iOS,18.3.1,,,,,,,,"[""a;b""]",,,,,,
'=C04,,,,"'""a\nb""",,,,odd,false,,,,,,1970-01-01T00:00:00Z,[],{},,,,,
`

// TestListIsLookup: a list has each device once, with exactly the facts that a lookup finds, whichever are asked for.
func TestListIsLookup(t *testing.T) {
	t.Parallel()
	judgedProvider := func(kind, content string) *file.Provider { p, _ := judged(t, kind, content); return p }
	unread, _ := loaded(t, "csv", "Identifier,team\nC02,blue\nC03,red\n")
	for name, p := range map[string]*file.Provider{
		"csv":       judgedProvider("csv", everyColumn),
		"no facts":  judgedProvider("csv", "Identifier,team\nC02,blue\nC03,\n"),
		"no policy": unread,
		"lines":     judgedProvider("lines", "C02\n\nC03\n"),
		"json": judgedProvider("json", `{"devices":[{"identifier":"C02","data":{"a":1},"facts":{"device":{"managed":null,"groups":["x"],"attributes":{"b":2}}}},
			{"identifier":"C03","facts":{"device":{"attributes":null,"type":"computer"},"user":{"username":"ada"}}},{"identifier":"C04"}]}`),
		"snapshot": judgedProvider("json", snapshotOf(allFetched(), `{"identifier":"C02","list":"computer","data":{"a":1},"facts":{"device":{"type":"computer","managed":true,"attributes":{"b":"2"}}}},
			{"identifier":"C03","facts":{"device":{"managed":null}}}`)),
	} {
		subsets := []posture.FactSet{0, posture.Document, posture.AllFacts(), posture.AllFacts() | posture.Document}
		for _, d := range posture.Vocabulary() {
			subsets = append(subsets, d.Set(), d.Set()|posture.Document, posture.AllFacts()&^d.Set())
		}
		for _, facts := range subsets {
			all, total := listed(t, p, facts)
			if count := len(all); total.Total != count || count < 2 {
				t.Errorf("%s: %d devices are listed, and the total is %d", name, count, total.Total)
			}
			if want := p.ListGives() & facts; total.Facts != want {
				t.Errorf("%s: the list gives %v, want %v", name, total.Facts.Names(), want.Names())
			}
			for id, records := range all {
				want := record(t, p, id, facts)
				if !facts.Has(posture.Document) {
					want.Data = nil // which a lookup may give unasked
				}
				if len(records) != 1 || records[0].Damaged || !reflect.DeepEqual(records[0].Device, *want) {
					t.Errorf("%s: with %v, %q is listed as %.400v, want %.400v", name, facts.Names(), id, records, want)
				}
			}
		}
	}
}

// TestListEnds: with the error of its caller, when it is no longer wanted, and for a kind of devices that a file does not
// distinguish.
func TestListEnds(t *testing.T) {
	t.Parallel()
	p, _ := judged(t, "csv", everyColumn)
	fault, count := errors.New("the disk is full"), 0
	_, err := p.List(t.Context(), posture.List{}, func(posture.Listing) error { count++; return fault })
	if !errors.Is(err, fault) || count != 1 {
		t.Errorf("after %d devices: %v, want the error of the caller at the first", count, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	count = 0
	_, err = p.List(ctx, posture.List{}, func(posture.Listing) error { count++; cancel(); return nil })
	if !errors.Is(err, context.Canceled) || count != 1 {
		t.Errorf("after %d devices: %v, want the end after the first", count, err)
	}
	if _, err = p.List(t.Context(), posture.List{Type: posture.Computer}, func(posture.Listing) error { return nil }); err == nil {
		t.Error("computers alone are listed")
	}
}

// TestListOfOneVersion: a reload does not change a list that has begun.
func TestListOfOneVersion(t *testing.T) {
	t.Parallel()
	c := written(t, "csv", "Identifier,n\nC01,1\nC02,1\nC03,1\n")
	p, _, err := file.New(c)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	total, err := p.List(t.Context(), posture.List{Facts: posture.Document}, func(one posture.Listing) error {
		if count++; count == 1 {
			if err := os.WriteFile(string(c.Path), []byte("Identifier,n\nC01,2\n"), 0o600); err != nil {
				return err
			}
			next, err := p.Reload()
			if err != nil {
				return err
			}
			next.Apply()
			wantData(t, p, "C01", `{"n":"2"}`)
		}
		if string(one.Data) != `{"n":"1"}` {
			t.Errorf("%s is listed with %s, want the version that was in effect at the beginning", one.Identifier, one.Data)
		}
		return nil
	})
	if err != nil || count != 3 || total.Total != 3 {
		t.Errorf("%d devices, total %d, %v, want 3", count, total.Total, err)
	}
}

// TestModeOfFile: a device whose type a file gives is found only by webhooks that ask for its type, also where no rule reads
// it.
func TestModeOfFile(t *testing.T) {
	t.Parallel()
	contents := map[string]string{
		"csv":  "Identifier,device.type\nCOMPUTER,computer\nMOBILE,mobiledevice\nEITHER,\n",
		"json": `{"devices":[{"identifier":"COMPUTER","facts":{"device":{"type":"computer"}}},{"identifier":"MOBILE","facts":{"device":{"type":"mobiledevice"}}},{"identifier":"EITHER"}]}`,
	}
	for kind, content := range contents {
		p, _ := judged(t, kind, content)
		for _, mode := range []posture.DeviceType{"", posture.AnyDevice, posture.Computer, posture.MobileDevice} {
			for id, of := range map[string]posture.DeviceType{"COMPUTER": posture.Computer, "MOBILE": posture.MobileDevice, "EITHER": ""} {
				gate := posture.Gate{Join: posture.Join{Inventories: []posture.Source{{Name: "fleet", Kind: "file", Provider: p}}}}
				decision, err := gate.Decide(t.Context(), posture.Query{Identifier: identifier(t, id), Type: mode}, &posture.Evidence{})
				want := of == "" || mode == "" || mode == posture.AnyDevice || mode == of
				if err != nil || decision.Allowed() != want || !want && decision.Code() != posture.DeviceNotFound {
					t.Errorf("%s: mode %q, %s: %+v, %v, want allowed: %v", kind, mode, id, decision, err, want)
				}
			}
		}
	}
	unread, _ := loaded(t, "csv", contents["csv"])
	gate := posture.Gate{Join: posture.Join{Inventories: []posture.Source{{Provider: unread}}}}
	decision, err := gate.Decide(t.Context(), posture.Query{Identifier: identifier(t, "MOBILE"), Type: posture.Computer}, &posture.Evidence{})
	if err != nil || !decision.Allowed() {
		t.Errorf("without a policy file: %+v, %v, want that the mode makes no difference", decision, err)
	}
}
