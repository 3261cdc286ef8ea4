// What the focus looks like on this element. The element scrolls into view with the focus, so its middle must be in the window.
const box = this.getBoundingClientRect()
const x = box.x + Math.min(box.width, innerWidth) / 2, y = box.y + Math.min(box.height, innerHeight) / 2
const met = document.elementFromPoint(x, y)
const inView = box.width > 0 && box.height > 0 && !!met && (this.contains(met) || met.contains(this) && getComputedStyle(this).display === "inline")
const style = getComputedStyle(this)
const behind = background(this.parentElement || this).color
const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1 &&
	(style.outlineStyle === "auto" || ratio(over(rgba(style.outlineColor), behind), behind) >= least)
const shadowed = style.boxShadow !== "none"
return {InView: inView, Ring: outlined || shadowed}
