package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestLogLines(t *testing.T) {
	t.Parallel()
	got, err := logLines(t.Context(), t.TempDir()+"/log", 20*time.Millisecond)
	if err != nil || got.wanted != 200 || got.written != 200 || got.lost != 0 || got.highest <= 0 || got.rate <= 0 {
		t.Errorf("logLines = %+v, %v, want 200 lines and none lost", got, err)
	}
}

func TestRowsOfTheLog(t *testing.T) {
	t.Parallel()
	rows := logged{wanted: 5000, written: 4990, lost: 10, highest: logRoom / 8}.rows("log: ")
	want := []row{
		{"log: most that waited at once", none, "524,288 bytes, 12.5 % of the room", none, none, reported},
		{"log: lines written", none, "4,990 for 5,000", none, "one for each", miss},
		{"log: lines lost", none, "10", none, "0", miss},
	}
	for i, got := range rows {
		if got != want[i] {
			t.Errorf("row %d = %+v, want %+v", i, got, want[i])
		}
	}
}

func TestMetric(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("# HELP a b\na_total 7\na 1.5e+03\n"))
	}))
	defer s.Close()
	address := strings.TrimPrefix(s.URL, "http://")
	if got, err := metric(t.Context(), address, "a"); err != nil || got != 1500 {
		t.Errorf("metric = %v, %v, want 1500", got, err)
	}
	if got, err := metric(t.Context(), address, "b"); err == nil {
		t.Errorf("metric that is missing = %v, want an error", got)
	}
}
