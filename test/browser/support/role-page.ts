import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Page } from 'playwright-core'
import { WebSocketServer } from 'ws'
import type { Teardown } from '../../system/support/system.ts'

/** What of a role's page came and worked: each is `ok`, or how it went wrong. */
export type PageReport = Readonly<Record<string, string>>

/** `base` stands before what the page names: empty for relative URLs, a slash for absolute paths. */
const pageOf = (base: string): string => `<!doctype html>
<link rel="stylesheet" href="${base}style.css">
<title>a role</title>
<p id="styled">text</p>
<img id="image" src="${base}dot.svg">
<form method="post" action="${base}form"><input name="word" value="hello"><button>Send</button></form>
<script src="${base}script.js"></script>
<script type="module" src="${base}module.js"></script>
<script src="${base}tries.js" data-base="${base}"></script>`

const FILES: Readonly<Record<string, readonly [string, string]>> = {
  '/style.css': ['text/css', '@import "more.css"; #styled { color: rgb(1, 2, 3) }'],
  '/more.css': ['text/css', '#styled { background: rgb(4, 5, 6) }'],
  '/dot.svg': ['image/svg+xml', '<svg xmlns="http://www.w3.org/2000/svg" width="7" height="5"/>'],
  '/script.js': ['text/javascript', 'globalThis.scriptCame = true'],
  '/module.js': ['text/javascript', 'import { came } from "./imported.js"; globalThis.moduleCame = came'],
  '/imported.js': ['text/javascript', 'export const came = true'],
  '/tries.js': [
    'text/javascript',
    `
const base = document.currentScript.dataset.base
const word = async response => (response.ok ? (await response.json()).word : 'status ' + response.status)
const tried = async attempt => {
  try { return await attempt() } catch (error) { return error.name }
}
globalThis.tries = async () => ({
  get: await tried(async () => word(await fetch(base + 'data.json'))),
  put: await tried(async () =>
    word(await fetch(base + 'data', {
      method: 'PUT', credentials: 'include', headers: { 'content-type': 'application/json', 'x-own': '1' }, body: '{}',
    }))),
  socket: await tried(() => new Promise(resolve => {
    const url = new URL(base + 'socket', location.href)
    url.protocol = 'ws:'
    const socket = new WebSocket(url)
    socket.onmessage = ({ data }) => resolve(data)
    socket.onerror = () => resolve('error')
  })),
})
// What this script would do if it were an operator's.
globalThis.crimes = async (admin, instance) => ({
  read: await tried(async () => 'read ' + (await fetch(admin + '/v1/services')).status),
  sent: await tried(async () => 'sent ' + (await fetch(admin + '/v1/services/large/swap', {
    method: 'POST', mode: 'no-cors', credentials: 'include' })).type),
  form: await tried(async () => 'sent ' + (await fetch(admin + '/v1/services/large/swap', { method: 'POST' })).status),
  other: await tried(async () => 'read ' + (await fetch(instance)).status),
  token: await tried(async () => String(sessionStorage.getItem('vipswap.token'))),
  cookies: await tried(async () => document.cookie),
})`,
  ],
}

/**
 * A role that serves one page with all that pages have, on a free port of 127.0.0.1: at `/` by relative URLs, at `/rooted`
 * by absolute paths. `asked` has what was asked of it.
 */
export async function startRolePage(t: Teardown): Promise<{ port: number; asked: string[] }> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    const { method = '', url = '', headers } = request
    asked.push(`${method} ${url}`)
    request.resume().once('end', () => {
      const file = FILES[url]
      // As careful roles answer.
      response.setHeader('cross-origin-resource-policy', 'same-origin')
      response.setHeader('cross-origin-opener-policy', 'same-origin')
      response.setHeader('content-security-policy', "default-src 'self'; connect-src *")
      response.setHeader('set-cookie', 'seen=1; Path=/')
      if (file !== undefined) return response.setHeader('content-type', file[0]).end(file[1])
      if (url === '/' || url === '/rooted')
        return response.setHeader('content-type', 'text/html').end(pageOf(url === '/' ? '' : '/'))
      if (url.startsWith('/data')) return response.end(JSON.stringify({ word: 'ok' }))
      // As frameworks do against forgery: a form of another origin is refused.
      const isOwn = method === 'POST' && headers.origin === `http://${headers.host ?? ''}`
      if (url === '/form') return response.writeHead(isOwn ? 303 : 403, { location: '/done' }).end()
      return response.writeHead(url === '/done' ? 200 : 404).end(url === '/done' ? 'the form came' : 'nothing is here')
    })
  })
  new WebSocketServer({ server }).on('connection', socket => socket.send('ok'))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, asked }
}

/** How a role's page came to be in the browser. */
export async function reportOf(page: Page): Promise<PageReport> {
  return page.evaluate<PageReport>(`(async () => {
    const style = getComputedStyle(document.getElementById('styled'))
    const said = yes => (yes ? 'ok' : 'missing')
    return {
      script: said(globalThis.scriptCame),
      module: said(globalThis.moduleCame),
      style: said(style.color === 'rgb(1, 2, 3)'),
      import: said(style.backgroundColor === 'rgb(4, 5, 6)'),
      image: said(document.getElementById('image').naturalWidth === 7),
      ...(await globalThis.tries?.()),
    }
  })()`)
}
