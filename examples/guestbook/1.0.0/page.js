const COLOURS = { 1: '#3b6ea5', 2: '#2f855a' }

export function renderPage({ version, instance, accepts }) {
  const speaks = accepts.at(-1)
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Guestbook ${version}</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 36rem; margin: 3rem auto; padding: 0 1rem }
  b { background: ${COLOURS[version[0]] ?? '#555'}; color: #fff; border-radius: 1rem; padding: .2rem .8rem }
  form { display: flex; gap: .5rem } input { flex: 1; padding: .4rem } li { margin: .3rem 0 }
</style>
<h1>Guestbook <b>${version}</b></h1>
<p>Answered by ${instance}, which understands ${accepts.join(' and ')}.</p>
<form><input name="name" placeholder="name" required><input name="text" placeholder="text" required><button>Sign</button></form>
<ul></ul>
<script>
  const speaks = '${speaks}'
  const headers = { 'Guestbook-Protocol': speaks, 'Content-Type': speaks === 'V2' ? 'application/json' : 'text/plain' }
  const list = document.querySelector('ul')
  async function show() {
    const text = await (await fetch('/entries', { headers })).text()
    const lines = speaks === 'V2' ? JSON.parse(text).entries.map(e => e.name + ': ' + e.text) : text.split('\\n').filter(Boolean)
    list.replaceChildren(...lines.map(line => Object.assign(document.createElement('li'), { textContent: line })))
  }
  document.querySelector('form').onsubmit = async event => {
    event.preventDefault()
    const { name, text } = Object.fromEntries(new FormData(event.target))
    const body = speaks === 'V2' ? JSON.stringify({ name, text }) : name + ': ' + text
    await fetch('/entries', { method: 'POST', headers, body })
    event.target.reset()
    show()
  }
  show()
</script>
</html>
`
}
