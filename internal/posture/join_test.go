package posture_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"step-posture-connector/internal/posture"
)

// inventory answers after a delay, and notes when it was asked.
type inventory struct {
	record posture.Device
	err    error
	after  time.Duration
	panics bool

	mu    sync.Mutex
	asked []time.Time
	left  int // callers that gave up
}

func (i *inventory) Lookup(ctx context.Context, q posture.Query) (posture.Device, error) {
	i.mu.Lock()
	i.asked = append(i.asked, time.Now())
	i.mu.Unlock()
	if i.panics {
		panic("a fault")
	}
	select {
	case <-time.After(i.after):
	case <-ctx.Done():
		i.mu.Lock()
		i.left++
		i.mu.Unlock()
		return posture.Device{}, ctx.Err()
	}
	if i.err == nil && i.record.Identifier == "" {
		i.record.Identifier = q.Identifier.String()
	}
	return i.record, i.err
}

func managed(is bool) posture.Device {
	return posture.Device{Facts: posture.Facts{Managed: posture.Known(is)}}
}

func TestJoin(t *testing.T) {
	t.Parallel()
	has := func() *inventory { return &inventory{record: managed(true)} }
	hasUnmanaged := func() *inventory { return &inventory{record: managed(false)} }
	lacks := func() *inventory { return &inventory{err: posture.ErrNotFound} }
	cannot := func() *inventory { return &inventory{err: posture.ErrIdentifier} }
	twice := func() *inventory { return &inventory{err: posture.ErrAmbiguous} }
	fails := func() *inventory { return &inventory{err: errors.New("it is down")} }
	lies := func() *inventory { return &inventory{record: posture.Device{Identifier: "OTHER"}} }
	slow := func(i *inventory) *inventory { i.after = time.Second; return i }
	never := func(i *inventory) *inventory { i.after = time.Hour; return i }
	type list []*inventory
	for _, c := range []struct {
		name      string
		in, also  list
		reads     string // the names of inventories, in one text
		unmanaged bool
		want      string // who decides, or the error
		asked     string // who was asked
	}{
		{name: "the only one", in: list{has()}, want: "a", asked: "a"},
		{name: "the first", in: list{has(), has()}, want: "a", asked: "a"},
		{name: "the second", in: list{lacks(), has(), has()}, want: "b", asked: "ab"},
		{name: "no identifier of the first's kind", in: list{cannot(), has()}, want: "b", asked: "ab"},
		{name: "no inventory has it", in: list{lacks(), cannot()}, want: "no such device", asked: "ab"},
		{name: "no inventory could have it", in: list{cannot(), cannot()}, want: "no identifiers of this form", asked: "ab"},
		{name: "a fault before", in: list{fails(), has()}, want: "inventory a: it is down", asked: "a"},
		{name: "a fault behind", in: list{has(), fails()}, want: "a", asked: "a"},
		{name: "a fault behind that is read", in: list{has(), fails()}, reads: "b", want: "inventory b: it is down", asked: "ab"},
		{name: "several before", in: list{twice(), has()}, want: "several devices", asked: "a"},
		{name: "several behind that are read", in: list{has(), twice()}, reads: "b", want: "a", asked: "ab"},
		{name: "another record", in: list{lies()}, want: "another identifier", asked: "a"},
		{name: "another record in also_in", in: list{has()}, also: list{lies()}, want: "another identifier", asked: "ax"},
		{name: "unmanaged, and managed later", in: list{hasUnmanaged(), lacks(), has()}, want: "c", asked: "abc"},
		{name: "unmanaged, and nowhere managed", in: list{hasUnmanaged(), hasUnmanaged(), lacks()}, want: "a", asked: "abc"},
		{name: "unmanaged, and allowed", in: list{hasUnmanaged(), has()}, unmanaged: true, want: "a", asked: "a"},
		{name: "unmanaged, and a fault later", in: list{hasUnmanaged(), fails()}, want: "inventory b: it is down", asked: "ab"},
		{name: "also in", in: list{has(), has()}, also: list{has()}, want: "a", asked: "ax"},
		{name: "not also in", in: list{has()}, also: list{has(), lacks()}, want: "inventory y, which must know the device too: no such device", asked: "axy"},
		{name: "also in one that cannot have it", in: list{has()}, also: list{cannot()}, want: "inventory x, which must know the device too: the inventory knows no identifiers", asked: "ax"},
		{name: "several in also in", in: list{has()}, also: list{twice()}, want: "several devices", asked: "ax"},
		{name: "a fault of also in", in: list{has()}, also: list{lacks(), fails()}, want: "inventory y: it is down", asked: "axy"},
		{name: "also in is not asked where no inventory has it", in: list{lacks()}, also: list{has()}, want: "no such device", asked: "a"},
		{name: "a slow one decides all the same", in: list{slow(has()), has()}, want: "a", asked: "ab"},
		{name: "behind a slow one that does not have it", in: list{slow(lacks()), has()}, want: "b", asked: "ab"},
		{name: "too late", in: list{lacks(), never(has())}, want: "inventory b: context deadline exceeded", asked: "ab"},
		{name: "also in too late", in: list{has()}, also: list{never(has())}, want: "context deadline exceeded", asked: "ax"},
		{name: "a panic", in: list{lacks(), {panics: true}}, want: "panic: a fault", asked: "ab"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sources := func(names string, of list) (all []posture.Source) {
					for i, inv := range of {
						all = append(all, posture.Source{Name: names[i : i+1], Provider: inv})
					}
					return all
				}
				g := posture.Gate{
					Join: posture.Join{
						Inventories: sources("abc", c.in), AlsoIn: sources("xyz", c.also), Reads: strings.Split(c.reads, ""), AllowUnmanaged: c.unmanaged,
					},
					Policy: posture.Policy{Name: "p", AllowUnmanaged: c.unmanaged},
				}
				for _, source := range g.AlsoIn {
					g.Policy.AlsoIn = append(g.Policy.AlsoIn, source.Name)
				}
				id, _ := posture.ParseIdentifier("C02XK1JKLVCG")
				ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
				defer cancel()
				var e posture.Evidence
				got := func() (got string) {
					defer func() {
						if p, ok := recover().(interface{ Panicked() (any, []byte) }); ok {
							value, _ := p.Panicked()
							got = fmt.Sprint("panic: ", value)
						}
					}()
					d, err := g.Decide(ctx, posture.Query{Identifier: id}, &e)
					switch {
					case err != nil:
						return err.Error()
					case !d.Allowed() && d.Code() != posture.DeviceNotManaged:
						return d.Reason()
					}
					return e.Inventory
				}()
				if got != c.want && (len(c.want) == 1 || !strings.Contains(got, c.want)) {
					t.Errorf("got %s, want %s", got, c.want)
				}
				synctest.Wait()
				asked := ""
				for i, inv := range slices.Concat(c.in, c.also) {
					name := "abc"[min(i, 2)]
					if i >= len(c.in) {
						name = "xyz"[i-len(c.in)]
					}
					asked += strings.Repeat(string(name), len(inv.asked))
				}
				if asked != c.asked {
					t.Errorf("asked %s, want %s", asked, c.asked)
				}
			})
		})
	}
}

// One that is slow gets a head start before the next is asked, and it is canceled when the first one decides.
func TestHeadStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := &inventory{record: managed(true), after: time.Second}, &inventory{record: managed(true), after: time.Hour}
		j := posture.Join{Inventories: []posture.Source{{Name: "a", Provider: a}, {Name: "b", Provider: b}}}
		id, _ := posture.ParseIdentifier("C02XK1JKLVCG")
		begin := time.Now()
		var e posture.Evidence
		if err := j.Gather(t.Context(), posture.Query{Identifier: id}, &e); err != nil || e.Inventory != "a" {
			t.Fatal(err, e.Inventory)
		}
		took := time.Since(begin)
		synctest.Wait()
		if took != time.Second {
			t.Errorf("answered after %v, want 1s", took)
		}
		if len(b.asked) != 1 || b.asked[0].Sub(begin) != 300*time.Millisecond {
			t.Errorf("the second was asked after %v, want 300ms", b.asked[0].Sub(begin))
		}
		if b.left != 1 {
			t.Error("the second one was not canceled")
		}
	})
}
