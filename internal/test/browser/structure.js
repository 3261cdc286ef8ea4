// What a person with a screen reader misses, as far as the document shows it.
const wrong = []
const name = e => e.outerHTML.slice(0, 80)
if (!/^[a-z]{2,3}(-[A-Za-z0-9]+)*$/.test(document.documentElement.lang)) wrong.push("the page does not say its language")
if (!document.title.trim()) wrong.push("the page has no title")
if (document.compatMode !== "CSS1Compat") wrong.push("the page has no doctype")
if (!document.querySelector("meta[name=viewport]")) wrong.push("the page has no viewport for small screens")
// A name that is only a placeholder is gone as soon as the person types.
for (const field of document.querySelectorAll("input:not([type=hidden], [type=submit], [type=button]), select, textarea")) {
	if (!field.labels.length && !field.hasAttribute("aria-label") && !field.hasAttribute("aria-labelledby")) wrong.push(`no label: ${name(field)}`)
}
for (const table of document.querySelectorAll("table:not([role=presentation])")) {
	if (!table.querySelector("th[scope]")) wrong.push(`a table has no header with a scope: ${name(table)}`)
	if (!table.caption && !table.hasAttribute("aria-label") && !table.hasAttribute("aria-labelledby")) wrong.push(`a table has no caption: ${name(table)}`)
}
for (const drawing of document.querySelectorAll("svg")) {
	if (!drawing.closest("[aria-hidden=true]") && drawing.getAttribute("role") !== "img") wrong.push(`a drawing is neither an img nor hidden: ${name(drawing)}`)
}
for (const e of document.querySelectorAll("[tabindex]")) {
	if (e.tabIndex > 0) wrong.push(`tabindex changes the order: ${name(e)}`)
}
const ids = new Set()
for (const e of document.querySelectorAll("[id]")) {
	if (ids.has(e.id)) wrong.push(`the id ${e.id} is there twice`)
	ids.add(e.id)
}
for (const e of document.querySelectorAll("[aria-labelledby], [aria-describedby], label[for]")) {
	for (const attribute of ["aria-labelledby", "aria-describedby", "for"]) {
		for (const id of (e.getAttribute(attribute) || "").split(/\s+/)) {
			if (id && !document.getElementById(id)) wrong.push(`${attribute} names ${id}, which is missing`)
		}
	}
}
return wrong
