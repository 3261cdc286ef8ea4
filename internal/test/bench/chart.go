package main

import (
	"fmt"
	"image/color"
	"os"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The size of the chart.
const (
	chartWidth  = 18 * vg.Centimeter
	chartHeight = 10 * vg.Centimeter
	lineWidth   = 2 * vg.Millimeter / 3
	margin      = 3 * vg.Millimeter
	headroom    = 1.4 // of the highest value, for the legend
)

// curve is CPU per request against the size of the inventory.
type curve struct {
	floor  float64 // µs
	goal   float64 // as a multiple of the floor
	points plotter.XYs
}

func (c *curve) add(devices int, micros float64) {
	c.points = append(c.points, plotter.XY{X: float64(devices), Y: micros})
}

// writeChart draws the curve between the floor and the goal.
func writeChart(path string, c curve) error {
	if len(c.points) == 0 {
		return fmt.Errorf("%s: nothing was measured that could be drawn", path)
	}
	p, err := c.plot()
	if err != nil {
		return err
	}
	return saveChart(path, p)
}

// stroke is one line of the chart.
type stroke struct {
	name   string
	points plotter.XYs
	color  color.Color
	dashes []vg.Length
	marks  bool
}

func (c curve) strokes() []stroke {
	first, last := c.points[0].X, c.points[len(c.points)-1].X
	if first == last {
		last *= 10 // a logarithmic axis has to have some length
	}
	level := func(y float64) plotter.XYs { return plotter.XYs{{X: first, Y: y}, {X: last, Y: y}} }
	return []stroke{
		{name: "connector", points: c.points, color: color.RGBA{R: 31, G: 90, B: 166, A: 255}, marks: true},
		{
			name: fmt.Sprintf("goal, %s × floor", short(c.goal)), points: level(c.floor * c.goal),
			color: color.RGBA{R: 190, G: 60, B: 40, A: 255}, dashes: []vg.Length{vg.Points(6), vg.Points(4)},
		},
		{name: "floor", points: level(c.floor), color: color.Gray{Y: 110}},
	}
}

func (c curve) plot() (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = "CPU per request, HTTP/1.1 keep-alive, 16 connections"
	p.Title.Padding = margin
	p.X.Label.Text = "devices in the inventory"
	p.Y.Label.Text = "µs of CPU time"
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.TickerFunc(decades)
	p.Add(plotter.NewGrid())
	highest := c.floor * c.goal
	for _, one := range c.strokes() {
		line, marks, err := plotter.NewLinePoints(one.points)
		if err != nil {
			return nil, fmt.Errorf("draw %s: %w", one.name, err)
		}
		line.Width, line.Color, line.Dashes = lineWidth, one.color, one.dashes
		marks.Shape, marks.Color = draw.CircleGlyph{}, one.color
		p.Add(line)
		if one.marks {
			p.Add(marks)
		}
		p.Legend.Add(one.name, line)
		for _, point := range one.points {
			highest = max(highest, point.Y)
		}
	}
	p.Y.Min, p.Y.Max = 0, highest*headroom
	p.Legend.Top = true
	for _, style := range []*draw.TextStyle{
		&p.Title.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label, &p.Legend.TextStyle,
	} {
		style.Font.Variant = "Sans"
	}
	return p, nil
}

func saveChart(path string, p *plot.Plot) error {
	canvas := vgsvg.New(chartWidth, chartHeight)
	p.Draw(draw.Crop(draw.New(canvas), margin, -margin, margin, -margin))
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write the chart: %w", err)
	}
	_, err = canvas.WriteTo(file)
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("write the chart: %w", err)
	}
	return nil
}

// decades puts a tick at each power of ten, and writes the numbers as people do.
func decades(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	for value := 1; float64(value) <= high; value *= 10 {
		if float64(value) >= low {
			ticks = append(ticks, plot.Tick{Value: float64(value), Label: thousands(value)})
		}
	}
	return ticks
}
