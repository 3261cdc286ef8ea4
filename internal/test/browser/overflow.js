// Elements that reach beyond the window, if the page as a whole scrolls sideways.
const page = document.scrollingElement
if (page.scrollWidth <= innerWidth) return []
const scrolls = e => {
	for (e = e.parentElement; e && e !== document.body; e = e.parentElement) {
		if (getComputedStyle(e).overflowX !== "visible") return true
	}
	return false
}
const wrong = []
for (const e of document.querySelectorAll("body *")) {
	const box = e.getBoundingClientRect()
	// A long word is wider than the box that it is in.
	const end = getComputedStyle(e).overflowX === "visible" ? Math.max(box.right, box.left + e.scrollWidth) : box.right
	if (end > innerWidth + 1 && !scrolls(e)) wrong.push(`${e.outerHTML.slice(0, 60)} ends at ${Math.round(end)} of ${innerWidth}`)
}
return [`the page is ${page.scrollWidth} wide in a window of ${innerWidth}`, ...wrong.slice(0, 5)]
