/**
 * What a page does beside htmx: copies snippets, says aloud how many records were found, and follows the changes of
 * this node for as long as the page can be seen. Everything is readable without it.
 */

document.documentElement.classList.add('scripted')
for (const button of document.querySelectorAll('button[data-copy]')) button.hidden = false

document.addEventListener('click', async (event) => {
  const button = event.target.closest?.('button[data-copy]')
  if (!button) return
  const source = document.getElementById(button.dataset.copy)
  try {
    await navigator.clipboard.writeText(source.textContent)
    say('Copied')
    button.textContent = 'Copied'
    setTimeout(() => {
      button.textContent = 'Copy'
    }, 1500)
  } catch {
    // Without a secure context there is no clipboard: the text is selected instead, for the keyboard.
    getSelection().selectAllChildren(source)
    say('Selected')
  }
})

document.addEventListener('htmx:afterSettle', () => {
  const found = document.getElementById('found')
  if (found) say(found.textContent)
})

/** Where a link leads to a problem, that page says more than a list that does not move. */
document.addEventListener('htmx:responseError', ({ detail }) => {
  if (document.activeElement?.id !== 'q') location.assign(detail.pathInfo.finalRequestPath)
  else tellSearch('No answer to this; change a letter or try again')
})
document.addEventListener('htmx:sendError', () => tellSearch('The node does not answer'))

function tellSearch(text) {
  const found = document.getElementById('found')
  if (found) found.textContent = text
  say(text)
}

let said
function say(text) {
  const place = document.getElementById('announce')
  // Once for a burst of letters typed.
  clearTimeout(said)
  said = setTimeout(() => {
    place.textContent = text.trim().replace(/\s+/g, ' ')
  }, 400)
}

/** `data-follow` names the feed; `changed` is what htmx waits for before it asks for the part again. */
for (const part of document.querySelectorAll('[data-follow]')) follow(part)

function follow(part) {
  const only = part.dataset.record
  let since = part.dataset.since
  let source
  let due = false
  const tell = () => {
    if (due) return
    due = true
    // One request a second is enough for the eye, however many ops an import brings.
    setTimeout(() => {
      due = false
      part.dispatchEvent(new CustomEvent('changed'))
      for (const note of part.querySelectorAll('.changed')) note.hidden = false
    }, 1000)
  }
  const open = () => {
    source = new EventSource(`${part.dataset.follow}?since=${since}`)
    source.onopen = () => part.setAttribute('data-live', 'on')
    source.onerror = () => part.setAttribute('data-live', 'lost')
    source.onmessage = ({ data, lastEventId }) => {
      since = lastEventId
      if (only === undefined || JSON.parse(data).id === only) tell()
    }
  }
  const close = () => {
    source?.close()
    source = undefined
  }
  // A browser has six connections to a host: a page that nobody looks at keeps none.
  const look = () => {
    if (document.hidden) close()
    else if (source === undefined) open()
  }
  document.addEventListener('visibilitychange', look)
  addEventListener('pageshow', look)
  addEventListener('pagehide', close)
  look()
  // Rates change also when nothing arrives.
  if (part.hasAttribute('hx-get')) {
    setInterval(() => {
      if (!document.hidden) part.dispatchEvent(new CustomEvent('changed'))
    }, 10_000)
  }
}
