package browser

import "time"

const (
	// actionLimit bounds each step: the pages of tests are small, and their server is on this machine. It is long for the sake
	// of slow machines, and no test waits for it to pass.
	actionLimit = 30 * time.Second
	// stopLimit bounds how long the browser may take to end by itself; it is killed then.
	stopLimit = 10 * time.Second
	// tabs bounds a walk with the Tab key.
	tabs = 300
	// minimumContrast is what WCAG 2.2, 1.4.3 (level AA), requires of text. Large text might have less; here it may not.
	minimumContrast = 4.5
	// ringContrast is what 1.4.11 requires of the mark of the focus.
	ringContrast = 3.0
	// PictureLimit is the size of a picture for the documents, in bytes.
	PictureLimit = 60_000
	// colors are those of a picture. A page has few, and the shades of its letters.
	colors = 112
	// likeness is how far apart two colors of a picture are at least, in steps of one of red, green and blue.
	likeness = 7
)
