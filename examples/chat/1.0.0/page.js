export function renderPage({ version, instance }) {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Chat ${version}</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 36rem; margin: 3rem auto; padding: 0 1rem }
  form { display: flex; gap: .5rem } input { flex: 1; padding: .4rem }
</style>
<h1>Chat ${version}</h1>
<p>The page came from ${instance}. <span id="state">Connecting…</span></p>
<form><input placeholder="say something" required><button>Say</button></form>
<ul></ul>
<script>
  const state = document.querySelector('#state')
  const [input, list] = [document.querySelector('input'), document.querySelector('ul')]
  let socket
  function connect() {
    socket = new WebSocket(location.href.replace(/^http/, 'ws') + 'chat')
    socket.onopen = () => (state.textContent = 'Connected.')
    socket.onmessage = ({ data }) => list.prepend(Object.assign(document.createElement('li'), { textContent: data }))
    socket.onclose = ({ code }) => {
      state.textContent = 'Closed (' + code + '), connecting again…'
      setTimeout(connect, 500)
    }
  }
  document.querySelector('form').onsubmit = event => {
    event.preventDefault()
    socket.send(input.value)
    input.value = ''
  }
  connect()
</script>
</html>
`
}
