package auditchain_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/auditchain"
)

// Each kind of tampering is found at its line. The log has a chain_start in line 1 and decisions in lines 2 to 11.
func TestTampering(t *testing.T) {
	t.Parallel()
	without := func(lines []string, i, n int) []string { return slices.Delete(slices.Clone(lines), i-1, i-1+n) }
	unchained := `{"time":"2026-11-24T12:30:07.000000Z","reference":"REF00006","decision":"allow"}` + "\n"
	rekeyed, other := withKey(t, 11), linesOf(t, written(t, 10))
	for name, c := range map[string]struct {
		change func(lines []string) []string
		want   string
	}{
		"nothing":           {func(l []string) []string { return l }, "intact"},
		"a letter":          {func(l []string) []string { l[4] = strings.Replace(l[4], "allow", "deny_", 1); return l }, "audit.jsonl:5 changed"},
		"a space in JSON":   {func(l []string) []string { l[4] = strings.Replace(l[4], `":"`, `": "`, 1); return l }, "audit.jsonl:5 changed"},
		"a space behind it": {func(l []string) []string { l[4] = strings.Replace(l[4], "\n", " \n", 1); return l }, "audit.jsonl:5 inserted"},
		"another line end":  {func(l []string) []string { l[4] = strings.Replace(l[4], "\n", "\r\n", 1); return l }, "audit.jsonl:5 inserted"},
		"a second line end": {func(l []string) []string { l[4] += "\n"; return l }, "audit.jsonl:6 inserted"},
		"a member":          {func(l []string) []string { l[4] = strings.Replace(l[4], "{", `{"a":1,`, 1); return l }, "audit.jsonl:5 changed"},
		"a member behind": {func(l []string) []string {
			l[4] = strings.Replace(l[4], "}\n", `,"decision":"deny"}`+"\n", 1)
			return l
		}, "audit.jsonl:5 inserted"},
		"the number": {func(l []string) []string {
			l[4] = strings.Replace(l[4], `_number":5`, `_number":6`, 1)
			return l
		}, "audit.jsonl:5 changed"},
		"a MAC in capitals": {func(l []string) []string {
			l[4] = l[4][:len(l[4])-67] + strings.ToUpper(l[4][len(l[4])-67:])
			return l
		}, "audit.jsonl:5 inserted"},
		"the first line":        {func(l []string) []string { l[0] = strings.Replace(l[0], "reason", "Reason", 1); return l }, "audit.jsonl:1 changed"},
		"the last line":         {func(l []string) []string { l[10] = strings.Replace(l[10], "allow", "deny_", 1); return l }, "audit.jsonl:11 changed"},
		"one line removed":      {func(l []string) []string { return without(l, 5, 1) }, "audit.jsonl:5 removed 5-5"},
		"lines removed":         {func(l []string) []string { return without(l, 5, 3) }, "audit.jsonl:5 removed 5-7"},
		"the first removed":     {func(l []string) []string { return l[1:] }, "audit.jsonl:1 removed 1-1"},
		"the beginning removed": {func(l []string) []string { return l[6:] }, "audit.jsonl:1 removed 1-6"},
		"the end removed":       {func(l []string) []string { return l[:8] }, "intact"}, // only a head finds it
		"the end cut":           {func(l []string) []string { l[10] = l[10][:50]; return l }, "audit.jsonl:11 unfinished"},
		"the last line end":     {func(l []string) []string { l[10] = strings.TrimSuffix(l[10], "\n"); return l }, "audit.jsonl:11 unfinished"},
		"a line cut":            {func(l []string) []string { l[4] = l[4][:50] + "\n"; return l }, "audit.jsonl:5 inserted"},
		"swapped":               {func(l []string) []string { l[4], l[5] = l[5], l[4]; return l }, "audit.jsonl:5 reordered 5-5"},
		"moved to the end":      {func(l []string) []string { return append(without(l, 5, 1), l[4]) }, "audit.jsonl:5 reordered 5-5"},
		"moved to the front":    {func(l []string) []string { return slices.Insert(without(l, 9, 1), 2, l[8]) }, "audit.jsonl:3 reordered 3-8"},
		"duplicated":            {func(l []string) []string { return slices.Insert(slices.Clone(l), 5, l[4]) }, "audit.jsonl:6 repeated"},
		"an old line replayed":  {func(l []string) []string { return append(slices.Clone(l), l[2]) }, "audit.jsonl:12 repeated"},
		"replaced by an old":    {func(l []string) []string { l[6] = l[2]; return l }, "audit.jsonl:7 repeated"},
		"inserted":              {func(l []string) []string { return slices.Insert(slices.Clone(l), 5, unchained) }, "audit.jsonl:6 inserted"},
		"inserted in front":     {func(l []string) []string { return append([]string{unchained}, l[5:]...) }, "audit.jsonl:1 inserted"},
		"appended":              {func(l []string) []string { return append(slices.Clone(l), unchained) }, "audit.jsonl:12 inserted"},
		"appended, unfinished":  {func(l []string) []string { return append(slices.Clone(l), unchained, "{") }, "audit.jsonl:12 inserted"},
		"empty lines":           {func(l []string) []string { return append(slices.Clone(l), "\n", "\n") }, "audit.jsonl:12 inserted"},
		"a very long line": {func(l []string) []string {
			return slices.Insert(slices.Clone(l), 5, strings.Repeat("x", 20<<20)+"\n")
		}, "audit.jsonl:6 inserted"},
		"a very long end":       {func(l []string) []string { return append(slices.Clone(l), strings.Repeat("x", 20<<20)) }, "audit.jsonl:12 unfinished"},
		"another key, one line": {func(l []string) []string { l[4] = rekeyed[4]; return l }, "audit.jsonl:5 changed"},
		"another key, all":      {func([]string) []string { return rekeyed }, "audit.jsonl:1 changed"},
		"another chain behind":  {func(l []string) []string { return append(slices.Clone(l), other[:4]...) }, "audit.jsonl:12 mixed"},
		"another chain's line":  {func(l []string) []string { l[4] = other[4]; return l }, "audit.jsonl:5 mixed"},
		"all chains taken away": {func([]string) []string { return []string{unchained} }, ".:0 no_chain"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := written(t, 10)
			lines := linesOf(t, path)
			if len(lines) != 11 {
				t.Fatalf("%d lines, want 11", len(lines))
			}
			r := verify(t, auditchain.Options{}, put(t, path, c.change(slices.Clone(lines))...))
			if got := first(r); got != c.want {
				t.Errorf("got %s, want %s: %+v", got, c.want, r.Problems)
			}
			if r.Intact != (c.want == "intact") {
				t.Errorf("intact: %v, with %v", r.Intact, r.Problems)
			}
		})
	}
}

// withKey is a log of so many lines, which another key has written.
func withKey(t *testing.T, lines int) []string {
	t.Helper()
	l := open(t, filepath.Join(t.TempDir(), "other"), otherKey())
	l.write(t, lines-1)
	return linesOf(t, l.path)
}

// compress replaces a file by one that gzip has made.
func compress(t *testing.T, path string) string {
	t.Helper()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write([]byte(strings.Join(linesOf(t, path), "")))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return put(t, path+".gz", packed.String())
}

// A chain goes on through rotations and restarts. The files may be given in any order, and compressed.
func TestRotation(t *testing.T) {
	t.Parallel()
	l := open(t, filepath.Join(t.TempDir(), "audit.jsonl"), key())
	l.write(t, 5) // lines 2 to 6
	l.rotate(t, l.path+".3")
	afterFirst := l.head(t)
	l.rotate(t, l.path+".2") // it has only the line that says so
	l.write(t, 4)
	_ = l.Close()
	again := open(t, l.path, key())
	again.write(t, 2)
	again.rotate(t, l.path+".1")
	again.write(t, 3)
	head := again.head(t)
	if _, err := again.Reopen(); err != nil { // nothing was moved
		t.Fatal(err)
	}
	again.write(t, 1)
	_ = again.Close()
	files := []string{compress(t, l.path+".1"), l.path + ".2", l.path, compress(t, l.path+".3")}
	r := verify(t, auditchain.Options{Heads: []audit.Head{head, afterFirst}}, files...)
	if !r.Intact || len(r.Chains) != 1 || r.Lines != 19 || r.Chains[0].Last != 19 || r.NotCovered != 0 {
		t.Fatalf("%+v", r)
	}
	if want := []string{files[3], files[1], files[0], files[2]}; !slices.Equal(r.Chains[0].Files, want) {
		t.Errorf("the files are in the order %v, want %v", r.Chains[0].Files, want)
	}
	if got := notes(r); got != "audit.jsonl.3.gz:1 chain_start" {
		t.Errorf("notes: %s", got)
	}
	for name, c := range map[string]struct {
		files []string
		o     auditchain.Options
		want  string
	}{
		"the first file is missing":  {files: files[:3], want: "audit.jsonl.2:1 removed 1-6"},
		"a file is missing":          {files: []string{files[0], files[2], files[3]}, want: "audit.jsonl.1.gz:1 removed 7-7"},
		"the last file is missing":   {files: []string{files[0], files[1], files[3]}, want: "intact"},
		"a head finds that":          {files: []string{files[0], files[1], files[3]}, o: auditchain.Options{Heads: []audit.Head{head}}, want: "audit.jsonl.1.gz:0 head 15-18"},
		"a file is there twice":      {files: append(slices.Clone(files), l.path+".1"), want: "audit.jsonl.1:1 repeated"},
		"the first was removed":      {files: files[:3], o: auditchain.Options{After: []audit.Head{linkOf(t, l.path+".3", 6)}}, want: "intact"},
		"after another line":         {files: files[:3], o: auditchain.Options{After: []audit.Head{head}}, want: "audit.jsonl.2:1 removed 1-6"},
		"a file of another chain":    {files: append(slices.Clone(files), written(t, 4)), want: "intact"}, // each by itself
		"a head of no chain":         {files: append(slices.Clone(files), written(t, 4)), o: auditchain.Options{Heads: []audit.Head{{Number: 3}}}, want: ".:0 head"},
		"a head with another MAC":    {files: files, o: auditchain.Options{Heads: []audit.Head{{Number: 3}}}, want: ".:0 head"},
		"a head before the files":    {files: files[:3], o: auditchain.Options{After: []audit.Head{linkOf(t, l.path+".3", 6)}, Heads: []audit.Head{{Number: 2}}}, want: ".:0 head"},
		"an old file, and the chain": {files: append([]string{put(t, filepath.Join(t.TempDir(), "old"), "{}\n")}, files...), want: "intact"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := verify(t, c.o, c.files...)
			if got := first(r); got != c.want {
				t.Errorf("got %s, want %s: %+v", got, c.want, r.Problems)
			}
		})
	}
}

// linkOf is a line of a log as a head.
func linkOf(t *testing.T, path string, line int) audit.Head {
	t.Helper()
	link, isChained, isIntact := audit.NewSealer(key()).Verify([]byte(strings.TrimSuffix(linesOf(t, path)[line-1], "\n")))
	if !isChained || !isIntact {
		t.Fatalf("line %d of %s does not verify", line, path)
	}
	return link.Head()
}

// What cannot be read is an error, and nothing that could be taken for an intact log.
func TestCannotVerify(t *testing.T) {
	t.Parallel()
	path := written(t, 10)
	packed, err := os.ReadFile(compress(t, path))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for name, c := range map[string]struct{ path, want string }{
		"missing":         {filepath.Join(folder, "none"), "no such file"},
		"folder":          {folder, "is a directory"},
		"cut gzip":        {put(t, filepath.Join(folder, "cut.gz"), string(packed[:len(packed)-20])), "unexpected EOF"},
		"changed gzip":    {put(t, filepath.Join(folder, "changed.gz"), string(packed[:len(packed)-6])+"x"+string(packed[len(packed)-5:])), "gzip"},
		"no gzip":         {put(t, filepath.Join(folder, "no.gz"), "\x1f\x8bx"), "unpack"},
		"empty":           {put(t, filepath.Join(folder, "empty"), ""), auditchain.ErrNoLines.Error()},
		"nothing in gzip": {compress(t, put(t, filepath.Join(folder, "nothing"), "")), auditchain.ErrNoLines.Error()},
	} {
		if _, err := auditchain.Verify(t.Context(), auditchain.Options{Key: key()}, []string{c.path}, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	r, err := auditchain.Verify(t.Context(), auditchain.Options{Key: key()}, []string{"-"}, strings.NewReader(strings.Join(linesOf(t, path), "")))
	if err != nil || !r.Intact || r.Lines != 11 {
		t.Errorf("stdin: %+v, %v", r, err)
	}
	if _, err := auditchain.Verify(t.Context(), auditchain.Options{Key: key()}, []string{put(t, filepath.Join(folder, "empty"), "")}, nil); !errors.Is(err, auditchain.ErrNoLines) {
		t.Errorf("an empty file: %v", err)
	}
}

// A file whose lines have lost their chain is not one of the time before the chain: those are older.
func TestStrippedFile(t *testing.T) {
	t.Parallel()
	path := written(t, 5)
	lines := linesOf(t, path)
	folder := t.TempDir()
	before := put(t, filepath.Join(folder, "before"), lines[:3]...)
	var stripped []string
	for _, line := range lines[3:] {
		plain, _, _ := strings.Cut(line, `,"chain":"`)
		stripped = append(stripped, strings.Replace(plain, "2026-11-24", "2999-11-24", 1)+"}\n")
	}
	young := put(t, filepath.Join(folder, "young"), stripped...)
	old := put(t, filepath.Join(folder, "old"), strings.ReplaceAll(strings.Join(stripped, ""), "2999-", "1999-"))
	for name, c := range map[string]struct {
		paths []string
		want  string
	}{
		"behind the chain":         {[]string{before, young}, "young:1 inserted"},
		"in front":                 {[]string{young, before}, "young:1 inserted"},
		"older than the chain":     {[]string{old, before}, "intact"},
		"younger than one of many": {[]string{before, young, put(t, filepath.Join(folder, "other"), linesOf(t, written(t, 2))...)}, "young:1 inserted"},
		"alone":                    {[]string{young}, ":0 no_chain"},
	} {
		if got := first(verify(t, auditchain.Options{}, c.paths...)); !strings.HasPrefix(got, c.want) && got != "."+c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
