package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"net/http"
	"strconv"
	"strings"

	"step-posture-connector/internal/console/access"
)

//go:embed templates/*.html style.css
var files embed.FS

// views are the templates of all pages.
type views struct {
	pages map[string]*template.Template
	style []byte
	hash  string // of the style, for its address: a browser keeps it until it changes
}

// views makes the templates on first use. They are part of the program, so that a fault in one is a fault of the program.
func (p *Pages) views() *views {
	p.made.Do(func() {
		style, _ := files.ReadFile("style.css")
		sum := sha256.Sum256(style)
		made := &views{pages: map[string]*template.Template{}, style: style, hash: hex.EncodeToString(sum[:6])}
		layout := template.Must(template.New("layout.html").Funcs(template.FuncMap{
			"cut": cut, "count": count, "parts": parts, "plural": plural,
		}).ParseFS(files, "templates/layout.html", "templates/parts.html"))
		entries, _ := files.ReadDir("templates")
		for _, entry := range entries {
			if name, isPage := strings.CutSuffix(entry.Name(), ".html"); isPage && name != "layout" && name != "parts" {
				made.pages[name] = template.Must(template.Must(layout.Clone()).ParseFS(files, "templates/"+entry.Name()))
			}
		}
		p.shows = made
	})
	return p.shows
}

// frame is what surrounds a page.
type frame struct {
	Title, Page, Style string
	Person, CSRF       string // empty where nobody has logged in
	CanLogOut          bool
	Query              string // of the search field
	Version            string
	Now                moment
	Main               any
}

// page makes a page of a person who has logged in.
func (p *Pages) page(q *request, name string, a answer) ([]byte, error) {
	query, _ := a.data.(interface{ searched() string })
	f := frame{
		Title: a.title, Page: name, Version: p.Version, Person: q.session.Person, CSRF: q.csrf, CanLogOut: q.session.Source != access.Local, Now: q.moment(q.now), Main: a.data,
	}
	if query != nil {
		f.Query = query.searched()
	}
	return p.views().render(a.page, f)
}

func (v *views) render(name string, f frame) ([]byte, error) {
	f.Style = access.PathStyle + "?" + v.hash
	var out bytes.Buffer
	if err := v.pages[name].ExecuteTemplate(&out, "layout.html", f); err != nil {
		return nil, err
	}
	return visible(out.Bytes()), nil
}

// style serves the one style sheet.
func (p *Pages) style(w http.ResponseWriter, r *http.Request) int {
	v := p.views()
	setHeaders(w)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return p.fail(w, r, &problem{status: http.StatusMethodNotAllowed, text: "This page only reads: it accepts GET, HEAD.", allow: "GET, HEAD"})
	}
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(v.style)))
	if r.URL.RawQuery == v.hash { // any other address may have another style in the next version
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	_, _ = w.Write(v.style)
	return http.StatusOK
}

// LogIn implements access.Renderer.
func (p *Pages) LogIn(w http.ResponseWriter, _ *http.Request, status int, v access.View) {
	p.plain(w, status, "login", "Log in", v)
}

// Refuse implements access.Renderer.
func (p *Pages) Refuse(w http.ResponseWriter, r *http.Request, status int, text string) {
	title := map[int]string{
		http.StatusBadRequest: "This address is not accepted", http.StatusForbidden: "Not allowed", http.StatusNotFound: "Not found",
		http.StatusMethodNotAllowed: "Not accepted here", http.StatusTooManyRequests: "Too many requests",
		http.StatusServiceUnavailable: "Not available at present", http.StatusInternalServerError: "A fault of the console",
	}[status]
	if title == "" {
		title = http.StatusText(status)
	}
	session, csrf := access.SessionOf(r.Context())
	if session.Person == "" {
		p.plain(w, status, "problem", title, text)
		return
	}
	q := &request{Request: r, session: session, csrf: csrf, now: p.Now()}
	shown, err := p.page(q, "problem", answer{page: "problem", title: title, data: text})
	if err != nil { // cannot happen: the page has two texts
		shown = []byte(template.HTMLEscapeString(text))
	}
	write(w, status, shown)
}

// plain shows a page of somebody who has not logged in.
func (p *Pages) plain(w http.ResponseWriter, status int, name, title string, data any) {
	shown, err := p.views().render(name, frame{Title: title, Page: name, Main: data})
	if err != nil {
		status, shown = http.StatusInternalServerError, []byte("The console has a fault.")
	}
	write(w, status, shown)
}
