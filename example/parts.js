// What the scripts of the cookie page and of the attacker's page share: elements, buttons, and replies in words. It inserts only text, never markup.
export const element = id => document.getElementById(id)

export function create (name, ...children) {
  const node = document.createElement(name)
  node.append(...children)
  return node
}

/** Shows lines in an area that screen readers read out. */
export function show (place, isGood, ...lines) {
  const area = element(place)
  area.className = `reply ${isGood ? 'accepted' : 'refused'}`
  area.replaceChildren(create('p', create('time', new Date().toLocaleTimeString())), ...lines)
  area.firstElementChild.append(...lines.shift()?.childNodes ?? [])
  area.scrollIntoView({ block: 'nearest' })
}

/** `GET /me → 200` */
export function headline (name, status) {
  return create('p', create('code', name), ' →\u00a0', create('strong', String(status)))
}

let busy = false

/** One at a time, so that replies cannot overtake each other. */
export function onPress (target, act) {
  target.addEventListener(target.tagName === 'FORM' ? 'submit' : 'click', async event => {
    event.preventDefault()
    if (busy) return
    busy = true
    document.body.classList.add('waiting')
    try {
      await act()
    } finally {
      busy = false
      document.body.classList.remove('waiting')
    }
  })
}
