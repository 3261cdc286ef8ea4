package main

import (
	"fmt"
	"strconv"
	"strings"
)

// The results of a row.
const (
	hit       = "hit"
	miss      = "miss"
	reported  = "reported"
	notWaited = "not waited for"
)

// none fills an empty cell.
const none = "–"

// row is one line of the table.
type row struct{ what, floor, measured, ratio, goal, result string }

// unit writes a number as people read it.
type unit func(float64) string

func micros(value float64) string { return fmt.Sprintf("%.1f µs", value) }

func millis(value float64) string { return fmt.Sprintf("%.2f ms", value) }

func seconds(value float64) string { return fmt.Sprintf("%.2f s", value) }

func wholeBytes(value float64) string { return thousands(int(value)) + " bytes" }

func mebibytes(value float64) string { return fmt.Sprintf("%.1f MiB", value/mebibyte) }

func plain(value float64) string { return fmt.Sprintf("%.3f", value) }

// verdict says whether a goal was reached.
func verdict(reached bool) string {
	if reached {
		return hit
	}
	return miss
}

// against is the row of a value that is held to a multiple of the floor.
func against(what string, floor, value float64, in unit, most float64) row {
	return compared(what, floor, value, in, most, "floor")
}

// compared is the same against something that is not a bare server.
func compared(what string, floor, value float64, in unit, most float64, name string) row {
	ratio := value / floor
	return row{
		what: what, floor: in(floor), measured: in(value), ratio: fmt.Sprintf("%.2f", ratio),
		goal: fmt.Sprintf("≤ %s × %s", short(most), name), result: verdict(ratio <= most),
	}
}

// within is the row of a value that is held to a number.
func within(what string, value float64, in unit, most float64, goal string) row {
	return row{what: what, floor: none, measured: in(value), ratio: none, goal: goal, result: verdict(value <= most)}
}

// reportOnly is the row of a value that has no goal.
func reportOnly(what, measured string) row {
	return row{what: what, floor: none, measured: measured, ratio: none, goal: none, result: reported}
}

// short writes a number with as few digits as it needs.
func short(number float64) string { return strconv.FormatFloat(number, 'f', -1, 64) }

// table writes rows as Markdown.
func table(rows []row) string {
	var text strings.Builder
	text.WriteString("| what | floor | measured | ratio | goal | result |\n|---|---:|---:|---:|---|---|\n")
	for _, r := range rows {
		result := r.result
		if result == miss {
			result = "**" + miss + "**"
		}
		fmt.Fprintf(&text, "| %s | %s | %s | %s | %s | %s |\n", r.what, r.floor, r.measured, r.ratio, r.goal, result)
	}
	return text.String()
}

// thousands writes a number as people read it: 1,000,000.
func thousands(number int) string {
	digits := strconv.Itoa(number)
	first := 0 // digit
	if number < 0 {
		first = 1
	}
	for at := len(digits) - 3; at > first; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}
