package tokenapi_test

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"step-posture-connector/internal/enroll"
)

type closer interface {
	enroll.Store
	Close() error
}

func openStore(t testing.TB) closer { return &fake{} }

func (f *fake) Close() error { f.closed = true; return nil }

type fake struct {
	closed bool
	mu     sync.Mutex
	all    []enroll.Token
}

func (f *fake) Insert(_ context.Context, t enroll.Token, l time.Duration) (enroll.Token, error) {
	if f.closed {
		return t, errors.New("closed")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	n := 0
	for i := range f.all {
		f.all[i].Now = now
		if f.all[i].State() == enroll.Live && t.Identifier != "" && enroll.FoldIdentifier(t.Identifier) == enroll.FoldIdentifier(f.all[i].Identifier) {
			n++
		}
	}
	if n >= enroll.MaxLive {
		return t, enroll.ErrTooMany
	}
	t.Created, t.Expires, t.Now = now, now.Add(l), now
	f.all = append(f.all, t)
	return t, nil
}

func (f *fake) Find(_ context.Context, h enroll.Hash) (enroll.Token, error) {
	for _, t := range f.all {
		if t.Hash == h {
			t.Now = time.Now()
			return t, nil
		}
	}
	return enroll.Token{}, enroll.ErrUnknown
}

func (f *fake) Bind(_ context.Context, h enroll.Hash, k enroll.Key, id string) (enroll.Token, error) {
	for i := range f.all {
		if f.all[i].Hash == h {
			f.all[i].Bound, f.all[i].Key, f.all[i].BoundTo, f.all[i].Now = time.Now(), k, id, time.Now()
			return f.all[i], nil
		}
	}
	return enroll.Token{}, enroll.ErrUnknown
}
func (f *fake) Bound(context.Context, string, enroll.Key) ([]enroll.Token, error) { return nil, nil }
func (f *fake) List(_ context.Context, x enroll.Filter) (l []enroll.Token, more bool, err error) {
	if f.closed {
		return nil, false, errors.New("closed")
	}
	for _, t := range f.all {
		if slices.Contains(x.Policies, t.Policy) && (x.Identifier == "" || x.Identifier == enroll.FoldIdentifier(cmp.Or(t.Identifier, t.BoundTo))) {
			t.Now = time.Now()
			l = append(l, t)
		}
	}
	slices.Reverse(l)
	if len(l) > enroll.MaxListed {
		return l[:enroll.MaxListed], true, nil
	}
	return l, false, nil
}

func (f *fake) Revoke(_ context.Context, id string, p []string) error {
	if f.closed {
		return errors.New("closed")
	}

	for i := range f.all {
		if f.all[i].ID == id && slices.Contains(p, f.all[i].Policy) {
			f.all[i].Revoked = time.Now()
			return nil
		}
	}
	return enroll.ErrUnknown
}
