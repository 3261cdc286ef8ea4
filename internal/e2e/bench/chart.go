package main

import (
	"fmt"
	"image/color"
	"os"
	"slices"

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
	p := plot.New()
	p.Title.Text = "CPU per request, HTTP/1.1 keep-alive, 16 connections"
	p.X.Label.Text = "devices in the inventory"
	p.Y.Label.Text = "µs of CPU time"
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.TickerFunc(decades)
	p.Y.Min = 0
	p.Add(plotter.NewGrid())
	first, last := c.points[0].X, c.points[len(c.points)-1].X
	if first == last {
		last *= 10 // a logarithmic axis has to have some length
	}
	level := func(y float64) plotter.XYs { return plotter.XYs{{X: first, Y: y}, {X: last, Y: y}} }
	for _, one := range []struct {
		name   string
		points plotter.XYs
		color  color.Color
		dashes []vg.Length
		marks  bool
	}{
		{"connector", c.points, color.RGBA{R: 31, G: 90, B: 166, A: 255}, nil, true},
		{fmt.Sprintf("goal, %.1f × floor", c.goal), level(c.floor * c.goal), color.RGBA{R: 190, G: 60, B: 40, A: 255}, []vg.Length{vg.Points(6), vg.Points(4)}, false},
		{"floor", level(c.floor), color.Gray{Y: 110}, nil, false},
	} {
		line, marks, err := plotter.NewLinePoints(one.points)
		if err != nil {
			return fmt.Errorf("draw %s: %w", one.name, err)
		}
		line.Width, line.Color, line.Dashes = lineWidth, one.color, one.dashes
		marks.Shape, marks.Color = draw.CircleGlyph{}, one.color
		p.Add(line)
		if one.marks {
			p.Add(marks)
		}
		p.Legend.Add(one.name, line)
	}
	p.Y.Max = 1.4 * max(c.floor*c.goal, slices.MaxFunc(c.points, func(a, b plotter.XY) int {
		if a.Y < b.Y {
			return -1
		}
		return 1
	}).Y)
	p.Legend.Top = true
	return saveChart(path, p)
}

func saveChart(path string, p *plot.Plot) error {
	canvas := vgsvg.New(chartWidth, chartHeight)
	p.Draw(draw.New(canvas))
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

// decades marks the powers of ten, and writes them as people do.
func decades(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	for value := 1; float64(value) <= high; value *= 10 {
		if float64(value) >= low {
			ticks = append(ticks, plot.Tick{Value: float64(value), Label: thousands(value)})
		}
	}
	return ticks
}
