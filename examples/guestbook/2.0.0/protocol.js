// Version 2.0 has left V1 behind. V2 is JSON.
import { text } from 'node:stream/consumers'

export const VERSION = '2.0.0'
export const accepts = ['V2']

const entries = []

const languages = {
  V2: {
    type: 'application/json',
    read: body => {
      try {
        const { name, text: said } = JSON.parse(body)
        return typeof name === 'string' && typeof said === 'string' ? { name, text: said } : null
      } catch {
        return null
      }
    },
    write: list => `${JSON.stringify({ entries: list })}\n`,
  },
}

/** GET lists the last entries, POST adds one and answers it. Asked in a language it does not know, it says so: 415. */
export async function handleEntries(request, response) {
  const asked = request.headers['guestbook-protocol'] ?? 'V2'
  const language = Object.hasOwn(languages, asked) ? languages[asked] : undefined
  if (language === undefined)
    return answer(response, 415, 'text/plain', `guestbook ${VERSION} does not understand ${asked}\n`)
  if (request.method === 'GET') return answer(response, 200, language.type, language.write(entries), asked)
  if (request.method !== 'POST') return answer(response, 405, 'text/plain', 'GET or POST\n')
  const entry = language.read(await text(request).catch(() => ''))
  if (entry === null) return answer(response, 400, 'text/plain', `this is no entry in ${asked}\n`)
  entries.push(entry)
  entries.splice(0, entries.length - 50)
  answer(response, 201, language.type, language.write([entry]), asked)
}

function answer(response, status, type, body, protocol) {
  if (protocol !== undefined) response.setHeader('Guestbook-Protocol', protocol)
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) })
  response.end(body)
}
