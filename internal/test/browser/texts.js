// Every text that a person can see, whose contrast does not suffice.
const wrong = []
const seen = new Set()

// opacity is that of an element with all around it.
function opacity(element) {
	let product = 1
	for (let e = element; e; e = e.parentElement) product *= getComputedStyle(e).opacity
	return product
}

function visible(element) {
	if (!element.checkVisibility({visibilityProperty: true})) return false
	const box = element.getBoundingClientRect()
	// Texts for screen readers only are a pixel in size.
	return box.width > 1 && box.height > 1
}

function look(element, color, text, drawing) {
	const {color: behind, picture} = drawing ? shapes(element) : background(element)
	const front = rgba(color)
	front[3] *= opacity(element)
	const found = ratio(over(front, behind), behind)
	const shown = `${element.tagName.toLowerCase()} ${JSON.stringify(text.trim().slice(0, 40))}`
	const message = picture ? `${shown}: a picture is behind it, and nothing can be said of its contrast`
		: found < least ? `${shown}: contrast ${found.toFixed(2)}, of ${color} on rgb(${behind.slice(0, 3).map(Math.round).join(", ")})` : ""
	if (message && !seen.has(message)) {
		seen.add(message)
		wrong.push(message)
	}
}

const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
for (let n = walker.nextNode(); n; n = walker.nextNode()) {
	const element = n.parentElement
	if (!n.data.trim() || !element || ["SCRIPT", "STYLE", "NOSCRIPT", "TEMPLATE", "OPTION", "TITLE", "DESC"].includes(element.tagName.toUpperCase())) continue
	if (!visible(element)) continue
	const drawing = element instanceof SVGElement
	look(element, drawing ? getComputedStyle(element).fill : getComputedStyle(element).color, n.data, drawing)
}
for (const field of document.querySelectorAll("input:not([type=hidden], [type=checkbox], [type=radio], [type=range], [type=color]), textarea, select")) {
	if (!visible(field) || field.disabled) continue
	const text = field.tagName === "SELECT" ? (field.selectedOptions[0] || {}).text : field.value
	if (text) look(field, getComputedStyle(field).color, text, false)
	else if (field.placeholder) look(field, getComputedStyle(field, "::placeholder").color, field.placeholder, false)
}
for (const element of document.querySelectorAll("body *")) {
	for (const part of ["::before", "::after"]) {
		const style = getComputedStyle(element, part)
		if (/^".*\S.*"/.test(style.content) && visible(element)) look(element, style.color, part + " " + style.content, false)
	}
}
return wrong
