package vendorhttp

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"time"
)

// List says how the pages of a list are asked for.
type List struct {
	// Endpoint names it in errors.
	Endpoint string
	// Size is how many devices the first page is asked for. It is halved where a page takes too long or is too large.
	Size int
}

// Page is what one page of a list was.
type Page struct {
	// Devices is how many records it had.
	Devices int
	// Mark tells the page from all others of the list: the cursor of the next one, its link, or the ID of the first
	// record. One that was seen before fails the list, which would never end. Empty is not compared.
	Mark string
	// Last says that no page comes behind it.
	Last bool
}

// Pages fetches a list page by page. get makes the request for the next page, by Client.Get, and decodes the answer; it may
// be called again for the same page, with a smaller size, so it hands nothing on. take hands on what get returned, and says
// which page it was; its error ends the list and is returned as it is.
//
// A page has a minute, whatever Options.Timeout is, and three tries; one that is too large is asked for again with half of
// the size, as often as that is possible. A list has one place at a time, gives way to lookups, and keeps one page. Fail
// closed: a list that repeats a page, or has more devices or bytes than any inventory, is an error, and never a short list.
func Pages[T any](ctx context.Context, c *Client, l List, get func(ctx context.Context, size int) (T, error), take func(T) (Page, error)) error {
	if c.way.places.all < placesForLists {
		// Fail closed: its pages would keep every lookup waiting.
		return fmt.Errorf("%s: lists need a limit of %d requests at once, or more", l.Endpoint, placesForLists)
	}
	f := &fetch{client: c, list: l, bounds: c.way.bounds, size: max(l.Size, 1)}
	seen, seed := map[uint64]bool{}, maphash.MakeSeed() // a hash, because marks may be long
	devices := 0
	for {
		var got T
		err := f.page(ctx, func(ctx context.Context) (err error) {
			got, err = get(ctx, f.size)
			return err
		})
		if err != nil {
			return err
		}
		page, err := take(got)
		if err != nil {
			return err
		}
		devices += page.Devices
		mark := maphash.String(seed, page.Mark)
		switch {
		case devices > f.bounds.devices:
			return fmt.Errorf("%s: the list has more than %d devices", l.Endpoint, f.bounds.devices)
		case page.Mark != "" && seen[mark]:
			return fmt.Errorf("%s: the list repeats a page", l.Endpoint)
		case page.Last:
			return nil
		case page.Devices == 0 && page.Mark == "":
			return fmt.Errorf("%s: the list does not go on", l.Endpoint)
		}
		seen[mark] = true
	}
}

// bounds are those of a list.
type bounds struct {
	timeout time.Duration // of a page
	bytes   int64         // of all pages
	page    int           // bytes of one
	devices int
}

// fetch is a list that is being fetched.
type fetch struct {
	client *Client
	list   List
	bounds bounds
	size   int   // of the next page
	bytes  int64 // of all answers
}

// page asks for one page, as often as that may help.
func (f *fetch) page(ctx context.Context, get func(context.Context) error) error {
	for try := 1; ; {
		var at asPage
		err := get(context.WithValue(ctx, pageKey{}, &at))
		f.bytes += at.bytes
		failed := (*Fault)(nil)
		switch {
		case f.bytes > f.bounds.bytes:
			return fmt.Errorf("%s: the list has more than %d bytes", f.list.Endpoint, f.bounds.bytes)
		case err == nil || ctx.Err() != nil:
			return err
		case errors.Is(err, errTooLarge) && f.size > 1:
			f.size /= 2
			continue // no try is lost: a smaller page is another request
		case !errors.As(err, &failed) || !failed.retriable() || failed.wait > longestWait || try == tries:
			return err
		}
		try++
		if at.slow {
			f.size = max(f.size/2, 1)
		}
		if !sleep(ctx, max(pagePause, failed.wait)) {
			return err
		}
	}
}

// pageKey is where the context of a request has its page.
type pageKey struct{}

// asPage is in the context of the requests for one page. It is used by one goroutine.
type asPage struct {
	slow  bool  // it had its whole time
	bytes int64 // of its answers
}

// pageOf returns nil where the request is none for a page of a list.
func pageOf(ctx context.Context) *asPage {
	page, _ := ctx.Value(pageKey{}).(*asPage)
	return page
}

// read counts the bytes of an answer; a is nil for a lookup.
func (a *asPage) read(bytes int) {
	if a != nil {
		a.bytes += int64(bytes)
	}
}

// WithoutPage returns the context of work that lookups may join while a page of a list is fetched, such as a request for a
// token, as it is in a lookup: it does not wait behind lookups, and it has a time limit, which decides when it is repeated.
func WithoutPage(ctx context.Context) (context.Context, context.CancelFunc) {
	if pageOf(ctx) == nil {
		return ctx, func() {}
	}
	return context.WithTimeout(context.WithValue(ctx, pageKey{}, (*asPage)(nil)), longestRequest)
}

// errTooLarge is the error of an answer that has more than maxAnswer bytes.
var errTooLarge = errors.New("the answer is too large")

// tooLarge is an errTooLarge that says where.
type tooLarge struct {
	endpoint string
	bytes    int
}

func (t tooLarge) Error() string {
	return fmt.Sprintf("%s: the answer has more than %d bytes", t.endpoint, t.bytes)
}

func (t tooLarge) Is(target error) bool { return target == errTooLarge }
