// Colors are [red, green, blue, alpha], 0 to 255 and alpha 0 to 1.

// rgba reads a computed color of any notation; the canvas knows them all.
function rgba(text) {
	const plain = text.match(/^rgba?\(([\d.]+),? ([\d.]+),? ([\d.]+)(?:,? \/? ?([\d.]+))?\)$/)
	if (plain) return [+plain[1], +plain[2], +plain[3], plain[4] === undefined ? 1 : +plain[4]]
	const canvas = new OffscreenCanvas(1, 1).getContext("2d")
	canvas.fillStyle = text
	canvas.fillRect(0, 0, 1, 1)
	const data = canvas.getImageData(0, 0, 1, 1).data
	return [data[0], data[1], data[2], data[3] / 255]
}

// over lays a color over one that is opaque.
function over(top, below) {
	const mix = i => top[i] * top[3] + below[i] * (1 - top[3])
	return [mix(0), mix(1), mix(2), 1]
}

// ratio is the contrast of two opaque colors, https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio.
function ratio(a, b) {
	const luminance = color => {
		const [red, green, blue] = color.slice(0, 3).map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
		return 0.2126 * red + 0.7152 * green + 0.0722 * blue
	}
	const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x)
	return (light + 0.05) / (dark + 0.05)
}

// canvas is what the browser paints where the page paints nothing.
const canvas = (() => {
	const probe = document.createElement("i")
	probe.style.color = "Canvas"
	document.documentElement.append(probe)
	const color = rgba(getComputedStyle(probe).color)
	probe.remove()
	return color
})()

// background is the color behind the text of an element, and whether a picture is there, of which nothing can be said.
function background(element) {
	const layers = []
	let picture = false
	for (let e = element; e; e = e.parentElement) {
		const style = getComputedStyle(e)
		if (style.backgroundImage !== "none") picture = true
		const color = rgba(style.backgroundColor)
		layers.push(color)
		if (color[3] === 1) break
	}
	let color = canvas
	for (const layer of layers.reverse()) color = over(layer, color)
	return {color, picture}
}

// shapes is the color behind a text in a drawing: the drawing's shapes at the middle of the text lie over what is behind it.
function shapes(element) {
	let {color, picture} = background(element.ownerSVGElement.parentElement)
	const box = element.getBoundingClientRect()
	const drawing = element.ownerSVGElement
	const below = [...drawing.querySelectorAll("rect, circle, ellipse, path, polygon")].filter(shape => {
		const area = shape.getBoundingClientRect()
		const x = box.x + box.width / 2, y = box.y + box.height / 2
		return shape.compareDocumentPosition(element) & Node.DOCUMENT_POSITION_FOLLOWING &&
			area.left <= x && x <= area.right && area.top <= y && y <= area.bottom
	})
	for (const shape of below) {
		const style = getComputedStyle(shape)
		if (style.fill === "none") continue
		const fill = rgba(style.fill)
		color = over([fill[0], fill[1], fill[2], fill[3] * style.fillOpacity * style.opacity], color)
	}
	return {color, picture}
}
