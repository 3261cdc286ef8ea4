package vendorhttp_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/providertest/vendortest"
	"step-posture-connector/internal/provider/vendorhttp"
)

// catalog is a list of acme's: its pages have a cursor, as those of most vendors.
type catalog struct {
	*acme
	size int
	seen []string // the devices that were passed
}

type catalogPage struct {
	Devices []string `json:"devices"`
	Next    string   `json:"next"`
}

// fetch lists everything, as a provider would.
func (c *catalog) fetch(ctx context.Context) error {
	cursor := ""
	return vendorhttp.Pages(ctx, c.Client, vendorhttp.List{Endpoint: "catalog", Size: c.size},
		func(ctx context.Context, size int) (page catalogPage, err error) {
			body, err := c.Get(ctx, "catalog", "/catalog", url.Values{"after": {cursor}, "size": {strconv.Itoa(size)}})
			if err != nil {
				return page, err
			}
			return page, c.Decode("catalog", "a page", body, &page)
		},
		func(page catalogPage) (vendorhttp.Page, error) {
			c.seen = append(c.seen, page.Devices...)
			cursor = page.Next
			return vendorhttp.Page{Devices: len(page.Devices), Mark: page.Next, Last: page.Next == ""}, nil
		})
}

// catalogServer is acme's server with so many devices in its catalog.
type catalogServer struct {
	*acmeServer
	mu    sync.Mutex
	sizes []int // that were asked for
	edit  func(*catalogPage, int)
}

const catalogDevices = 40

func newCatalog(t *testing.T, change func(*vendorhttp.Options)) (*catalogServer, *catalog) {
	t.Helper()
	s := &catalogServer{acmeServer: newServer(t), edit: func(*catalogPage, int) {}}
	server, err := vendortest.New(vendortest.API{
		Endpoint: func(r *http.Request) string { return strings.TrimPrefix(r.URL.Path, "/") }, Handler: s, AtOnce: 5,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Server = server
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	t.Cleanup(func() {
		for _, violation := range s.Violations() {
			t.Errorf("violation: %s", violation)
		}
	})
	for i := range catalogDevices {
		s.devices = append(s.devices, acmeDeviceJSON{Serial: numbered(i), Kind: string(posture.Computer), Managed: true})
	}
	o := s.options(t)
	if change != nil {
		change(&o)
	}
	return s, &catalog{acme: opened(o), size: 16}
}

// ServeHTTP serves the catalog beside what acme serves.
func (s *catalogServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/catalog" {
		s.acmeServer.ServeHTTP(w, r)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	size, _ := strconv.Atoi(r.URL.Query().Get("size"))
	begin, _ := strconv.Atoi(r.URL.Query().Get("after"))
	s.sizes = append(s.sizes, size)
	end := min(begin+size, catalogDevices)
	page := catalogPage{}
	for i := begin; i < end; i++ {
		page.Devices = append(page.Devices, numbered(i))
	}
	if end < catalogDevices {
		page.Next = strconv.Itoa(end)
	}
	s.edit(&page, size)
	answer(w, http.StatusOK, page)
}

// wantAll insists that every device was passed, once, by pages of these sizes.
func wantAll(t *testing.T, s *catalogServer, c *catalog, sizes ...int) {
	t.Helper()
	if err := c.fetch(t.Context()); err != nil {
		t.Fatalf("the list = %v, want no error", err)
	}
	if want := computers(catalogDevices); !slices.Equal(c.seen, want) {
		t.Errorf("the list has %q, want %q", c.seen, want)
	}
	if !slices.Equal(s.sizes, sizes) {
		t.Errorf("pages of %v devices were asked for, want %v", s.sizes, sizes)
	}
}

// TestPages: a page that is too slow or too large is asked for again with half of the size, which stays.
func TestPages(t *testing.T) {
	t.Parallel()
	t.Run("sound", func(t *testing.T) {
		t.Parallel()
		s, c := newCatalog(t, nil)
		wantAll(t, s, c, 16, 16, 16)
	})
	t.Run("too large", func(t *testing.T) {
		t.Parallel()
		s, c := newCatalog(t, nil)
		c.ListBounds(time.Minute, 1<<30, 100, 2_000_000) // bytes: a page of five devices
		wantAll(t, s, c, 16, 8, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4)
	})
	t.Run("one device is too large", func(t *testing.T) {
		t.Parallel()
		s, c := newCatalog(t, nil)
		c.ListBounds(time.Minute, 1<<30, 10, 2_000_000)
		if err := c.fetch(t.Context()); err == nil || !strings.Contains(err.Error(), "more than 10 bytes") || s.Count("catalog") != 5 {
			t.Errorf("the list = %v after %d requests, want an error after sizes 16, 8, 4, 2 and 1", err, s.Count("catalog"))
		}
	})
	t.Run("too slow", func(t *testing.T) {
		t.Parallel()
		s, c := newCatalog(t, nil)
		c.ListBounds(300*time.Millisecond, 1<<30, 16<<20, 2_000_000)
		s.Fail(vendortest.Fault{Kind: vendortest.Hang, After: 1, Times: 2}, "catalog")
		if err := c.fetch(t.Context()); err != nil || !slices.Equal(c.seen, computers(catalogDevices)) {
			t.Fatalf("the list = %v, with %d devices", err, len(c.seen))
		}
		if want := []int{16, 4, 4, 4, 4, 4, 4}; !slices.Equal(s.sizes, want) {
			t.Errorf("pages of %v devices were answered, want %v", s.sizes, want)
		}
	})
	t.Run("TIMEOUT is not for pages", func(t *testing.T) {
		t.Parallel()
		s, c := newCatalog(t, func(o *vendorhttp.Options) { o.Timeout = time.Second })
		s.Fail(vendortest.Fault{Kind: vendortest.Slow, Delay: 1500 * time.Millisecond, Times: 1}, "catalog")
		wantAll(t, s, c, 16, 16, 16)
	})
}

// TestPagesFail: a list that cannot be whole is an error, after three tries at most.
func TestPagesFail(t *testing.T) {
	t.Parallel()
	type server = *catalogServer
	for name, row := range map[string]struct {
		spoil func(server, *catalog)
		asked int // requests for pages; 0: not counted
		want  string
	}{
		"503 for ever": {func(s server, _ *catalog) {
			s.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: http.StatusServiceUnavailable, After: 1}, "catalog")
		}, 4, "catalog answered 503"},
		"403": {func(s server, _ *catalog) {
			s.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: http.StatusForbidden, After: 1}, "catalog")
		}, 2, "catalog answered 403"},
		"no JSON": {func(s server, _ *catalog) {
			s.Fail(vendortest.Fault{Kind: vendortest.Answer, Body: "<html>", After: 1}, "catalog")
		}, 2, "is not a page"},
		"endless": {func(s server, _ *catalog) {
			s.Fail(vendortest.Fault{Kind: vendortest.Endless, After: 1}, "catalog")
		}, 6, "more than 16777216 bytes"},
		"a page again": {func(s server, _ *catalog) {
			s.edit = func(p *catalogPage, _ int) { p.Next = "16" }
		}, 2, "repeats a page"},
		"two pages in turns": {func(s server, _ *catalog) {
			s.edit = func(p *catalogPage, size int) {
				if p.Next == "" {
					p.Next = strconv.Itoa(size)
				}
			}
		}, 3, "repeats a page"},
		"nothing, and more to come": {func(s server, _ *catalog) {
			s.edit = func(p *catalogPage, _ int) { p.Devices, p.Next = nil, "no mark" }
		}, 2, "repeats a page"},
		"too many devices": {func(_ server, c *catalog) { c.ListBounds(time.Minute, 1<<30, 16<<20, 20) }, 2, "more than 20 devices"},
		"too many bytes":   {func(_ server, c *catalog) { c.ListBounds(time.Minute, 400, 16<<20, 1000) }, 2, "more than 400 bytes"},
		"no new token": {func(s server, _ *catalog) {
			s.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: http.StatusUnauthorized, After: 1}, "catalog")
		}, 3, "refused twice"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, c := newCatalog(t, nil)
			row.spoil(s, c)
			err := c.fetch(t.Context())
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("the list = %v, want %q", err, row.want)
			}
			if got := s.Count("catalog"); got != row.asked {
				t.Errorf("%d pages were asked for, want %d", got, row.asked)
			}
			for _, secret := range s.secrets() {
				if err != nil && strings.Contains(err.Error(), secret) {
					t.Errorf("the error %q holds a secret or the vendor's words", err)
				}
			}
		})
	}
}

// TestPagesPass: what passes costs nothing: a token that has ended, a server that asks for a pause, a connection that breaks.
func TestPagesPass(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]vendortest.Fault{
		"401":         {Kind: vendortest.Answer, Status: http.StatusUnauthorized, Times: 1},
		"503 twice":   {Kind: vendortest.Answer, Status: http.StatusServiceUnavailable, Times: 2},
		"Retry-After": {Kind: vendortest.Answer, Status: http.StatusTooManyRequests, Headers: map[string]string{"Retry-After": "2"}, Times: 1},
		"truncated":   {Kind: vendortest.Truncate, Times: 2},
		"reset":       {Kind: vendortest.Reset, Times: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, c := newCatalog(t, nil)
			fault.After = 1
			s.Fail(fault, "catalog")
			begin := time.Now()
			if err := c.fetch(t.Context()); err != nil || !slices.Equal(c.seen, computers(catalogDevices)) {
				t.Errorf("the list = %v, with %d devices", err, len(c.seen))
			}
			if took := time.Since(begin); name == "Retry-After" && took < 2*time.Second {
				t.Errorf("the next try came after %v, the server asked for 2 s", took)
			}
		})
	}
}

// TestPagesNeedPlaces: with one place, a page would keep every lookup waiting.
func TestPagesNeedPlaces(t *testing.T) {
	t.Parallel()
	s, c := newCatalog(t, func(o *vendorhttp.Options) { o.AtOnce = 1 })
	if err := c.fetch(t.Context()); err == nil || s.Count() != 0 {
		t.Errorf("the list = %v after %d requests, want an error before the first", err, s.Count())
	}
}
