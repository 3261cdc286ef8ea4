package file_test

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/provider/file"
)

// BenchmarkOwnCode measures what the package's own code buys: time and memory for each device of a million, beside
// the same inventory in a map that encoding/csv or encoding/json fills. The package comment has the numbers.
func BenchmarkOwnCode(b *testing.B) {
	for _, kind := range []string{"csv", "json"} {
		c := written(b, kind, fourColumns(kind, million))
		for name, load := range map[string]func() (any, error){
			"store": func() (any, error) { p, _, err := file.New(c); return p, err },
			"map":   func() (any, error) { return loadMap(string(c.Path), kind) },
		} {
			b.Run(kind+"/"+name, func(b *testing.B) {
				before, held := heap(), uint64(0)
				for b.Loop() {
					loaded, err := load()
					if err != nil {
						b.Fatal(err)
					}
					b.StopTimer()
					held = heap() - before
					runtime.KeepAlive(loaded)
					b.StartTimer()
				}
				b.ReportMetric(float64(held)/million, "bytes/device")
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*million), "ns/device")
			})
		}
	}
}

// loadMap loads an inventory in the shortest way: its data by its identifier in upper case.
func loadMap(path, kind string) (map[string]json.RawMessage, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	if kind == "csv" {
		return mapOfCSV(bufio.NewReader(in))
	}
	return mapOfJSON(bufio.NewReader(in))
}

func mapOfCSV(in io.Reader) (map[string]json.RawMessage, error) {
	all := map[string]json.RawMessage{}
	rows := csv.NewReader(in)
	rows.ReuseRecord = true
	header, err := rows.Read()
	if err != nil {
		return nil, err
	}
	names := append([]string{}, header[1:]...)
	for {
		row, err := rows.Read()
		switch {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		}
		data := []byte{'{'}
		for i, name := range names {
			if i > 0 {
				data = append(data, ',')
			}
			data, _ = jsontext.AppendQuote(data, name)
			data, _ = jsontext.AppendQuote(append(data, ':'), row[i+1])
		}
		all[strings.ToUpper(row[0])] = append(data, '}')
	}
}

func mapOfJSON(in io.Reader) (map[string]json.RawMessage, error) {
	all := map[string]json.RawMessage{}
	decoder := json.NewDecoder(in)
	for range 3 { // {"devices":[
		if _, err := decoder.Token(); err != nil {
			return nil, err
		}
	}
	for decoder.More() {
		var one struct {
			Identifier string          `json:"identifier"`
			Data       json.RawMessage `json:"data"`
		}
		if err := decoder.Decode(&one); err != nil {
			return nil, fmt.Errorf("decode: %w", err)
		}
		all[strings.ToUpper(one.Identifier)] = one.Data
	}
	return all, nil
}
