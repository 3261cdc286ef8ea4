package console

import (
	"time"

	"step-posture-connector/internal/journal"
)

// chart is a chart of bars, as SVG. Its bars are as wide as the page, so their lengths are in parts of the whole: a bar of the
// length chartHeight is as high as the chart.
type chart struct {
	ID, Title, Description string
	Width, Height          int
	Bars                   []bar
	Top                    int64 // what the highest bar stands for
	From, Middle, To       moment
	Patterned              bool // hatched, so that the chart is not known by its colour alone
}

// bar stands for one span of time.
type bar struct {
	X, Y, Width, Height int
	Text                string
}

const (
	chartHeight = 100
	barWidth    = 10
)

// newChart draws what of says about each bucket.
func (q *request) newChart(id, title, noun string, buckets []journal.Bucket, step time.Duration, of func(journal.Bucket) int64) chart {
	c := chart{ID: id, Title: title, Width: barWidth * len(buckets), Height: chartHeight}
	var sum int64
	highest := -1
	for i, b := range buckets {
		n := of(b)
		sum += n
		if n > c.Top {
			c.Top, highest = n, i
		}
	}
	for i, b := range buckets {
		n := of(b)
		height := int(n * chartHeight / max(c.Top, 1))
		if n > 0 {
			height = max(height, 2) // one of ten thousand is seen too
		}
		c.Bars = append(c.Bars, bar{barWidth*i + 1, chartHeight - height, barWidth - 2, height, span(b.Start, step) + ": " + plural(n, noun)})
	}
	c.Description = plural(sum, noun) + " in all"
	if highest >= 0 {
		c.Description += ", most of them " + span(buckets[highest].Start, step) + ": " + count(c.Top)
	}
	if len(buckets) > 0 {
		end := buckets[len(buckets)-1].Start
		if step < 24*time.Hour {
			end = end.Add(step) // of a day its name says enough
		}
		c.From, c.Middle, c.To = axis(buckets[0].Start, step), axis(buckets[len(buckets)/2].Start, step), axis(end, step)
	}
	return c
}

// span names the time of a bucket.
func span(start time.Time, step time.Duration) string {
	start = start.UTC()
	if step >= 24*time.Hour {
		return start.Format("2 January")
	}
	return start.Format("2 January, 15:04") + " to " + start.Add(step).Format("15:04")
}

// axis is the label below the beginning of a bucket.
func axis(at time.Time, step time.Duration) moment {
	at = at.UTC()
	form := "2 Jan"
	if step < 6*time.Hour {
		form = "2 Jan, 15:04"
	}
	return moment{Machine: at.Format(time.RFC3339), Text: at.Format(form)}
}
