package main

import (
	"cmp"
	"math"
	"slices"
	"time"
)

const (
	kibibyte = 1 << 10
	mebibyte = 1 << 20
)

// memory is what a process holds, in bytes, and the most that it has held.
type memory struct{ now, peak float64 }

// median is the middle of values, which must not be empty.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := sorted[len(sorted)/2]
	if len(sorted)%2 == 0 {
		middle = (middle + sorted[len(sorted)/2-1]) / 2
	}
	return middle
}

// medianOf is the median of what value finds in each of all.
func medianOf[T any](all []T, value func(T) float64) float64 {
	values := make([]float64, len(all))
	for i, one := range all {
		values[i] = value(one)
	}
	return median(values)
}

// percentile is the smallest of the values that at least p percent of them do not exceed.
func percentile[T cmp.Ordered](values []T, p float64) T {
	sorted := slices.Sorted(slices.Values(values))
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[max(rank, 1)-1]
}

// round is what one round of one server took.
type round struct {
	requests int
	cpu      time.Duration
}

// perRequest is the CPU time of one request, in microseconds.
func (r round) perRequest() float64 {
	return float64(r.cpu) / float64(time.Microsecond) / float64(r.requests)
}

// summary is what the rounds of one server come to, in microseconds of CPU time for each request.
type summary struct{ median, lowest, highest, mean float64 }

func summarize(rounds []round) summary {
	all := round{}
	values := make([]float64, len(rounds))
	for i, r := range rounds {
		values[i] = r.perRequest()
		all.requests += r.requests
		all.cpu += r.cpu
	}
	return summary{median: median(values), lowest: slices.Min(values), highest: slices.Max(values), mean: all.perRequest()}
}
