package browser

import (
	"bytes"
	"cmp"
	"image"
	"image/color"
	"image/png"
	"maps"
	"slices"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
)

// Picture returns a picture of the whole page as a small PNG, as wide as the window and at most this many CSS pixels high; 0 is
// as high as the page. It has few colors, so the test fails where it has more than PictureLimit bytes: then it has to show less.
func (p *Page) Picture(t testing.TB, height int) []byte {
	t.Helper()
	size := call(t, p, page.GetLayoutMetrics, cdp.Empty{}).CSSContentSize
	if height > 0 {
		size.Height = min(size.Height, float64(height))
	}
	shot := call(t, p, page.CaptureScreenshot, page.CaptureScreenshotParams{
		Format: "png", CaptureBeyondViewport: new(true),
		Clip: &page.Viewport{Width: size.Width, Height: size.Height, Scale: 1},
	})
	small, err := shrink(shot.Data)
	if err != nil {
		t.Fatal(err)
	}
	if len(small) > PictureLimit {
		t.Errorf("the picture has %d bytes, more than %d", len(small), PictureLimit)
	}
	return small
}

// shrink writes a PNG with the most frequent of its colors; each other becomes the nearest of them.
func shrink(data []byte) ([]byte, error) {
	from, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	bounds := from.Bounds()
	count := map[color.RGBA]int{}
	at := func(x, y int) color.RGBA {
		r, g, b, _ := from.At(x, y).RGBA()
		return color.RGBA{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), 255} //nolint:gosec // 16 bits, shifted by 8
	}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			count[at(x, y)]++
		}
	}
	// Equal counts have an order too, so that equal pages are equal files.
	frequent := slices.SortedFunc(maps.Keys(count), func(a, b color.RGBA) int {
		return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(a.R, b.R), cmp.Compare(a.G, b.G), cmp.Compare(a.B, b.B))
	})
	palette := choose(frequent)
	nearest := make(map[color.RGBA]uint8, len(count))
	for c := range count {
		nearest[c] = uint8(palette.Index(c)) //nolint:gosec // fewer than 256
	}
	made := image.NewPaletted(bounds, palette)
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			made.SetColorIndex(x, y, nearest[at(x, y)])
		}
	}
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&out, made); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// choose chooses the colors of a picture: the most frequent ones, and of those that look alike only one. Otherwise the shades of
// letters would take the place of a color that marks something small.
func choose(frequent []color.RGBA) (palette color.Palette) {
	var chosen []color.RGBA
	for _, c := range frequent {
		if len(chosen) == colors {
			break
		}
		if !slices.ContainsFunc(chosen, func(other color.RGBA) bool { return alike(c, other) }) {
			chosen, palette = append(chosen, c), append(palette, c)
		}
	}
	return palette
}

// alike reports whether two colors are too near to each other for both to have a place.
func alike(a, b color.RGBA) bool {
	distance := func(x, y uint8) int { return max(int(x), int(y)) - min(int(x), int(y)) }
	return max(distance(a.R, b.R), distance(a.G, b.G), distance(a.B, b.B)) <= likeness
}
