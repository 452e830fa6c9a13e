// Runs in a browser: every text in sight with less contrast to what is behind it than WCAG 2.2 asks for (1.4.3, 4.5 to 1).
globalThis.faintTexts = () => [...document.querySelectorAll('body *')]
  .filter(element => element.checkVisibility() && hasText(element) && !element.matches(':disabled'))
  .filter(element => contrast(partsOf(window.getComputedStyle(element).color), groundOf(element)) < 4.5)
  .map(element => `${element.tagName} ${element.textContent}`)

function hasText (element) {
  return element.tagName === 'INPUT' || [...element.childNodes].some(node => node.nodeType === window.Node.TEXT_NODE && node.data.trim() !== '')
}

/** `rgb(1, 2, 3)` or `rgba(1, 2, 3, 0)` → its parts. */
function partsOf (color) {
  return color.match(/[\d.]+/g).map(Number)
}

function groundOf (element) {
  if (element === null) return [255, 255, 255]
  const color = partsOf(window.getComputedStyle(element).backgroundColor)
  return color[3] === 0 ? groundOf(element.parentElement) : color
}

function contrast (color, ground) {
  const [dark, light] = [luminance(color), luminance(ground)].sort((a, b) => a - b)
  return (light + 0.05) / (dark + 0.05)
}

function luminance (color) {
  const [red, green, blue] = color.map(part => part / 255).map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}
