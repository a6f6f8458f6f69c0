import { request } from 'node:http'
import { request as requestTls } from 'node:https'

/** Asks a peer for an answer that is known. Throws if it is another; answers the fields the peer added to the request. */
export async function checkPeer(port: number, tls: boolean): Promise<string[]> {
  const body = await get(port, tls, '/55')
  if (body !== 'x'.repeat(55)) throw new Error(`it does not answer as the instance does: ${body.slice(0, 200)}`)
  return addedFields(await get(port, tls, '/head'))
}

/** Names, lower-case and sorted, of the fields in a request's head that the bench does not send itself. */
export function addedFields(head: string): string[] {
  const names = head
    .split('\r\n')
    .slice(1)
    .map(line => line.slice(0, Math.max(0, line.indexOf(':'))).toLowerCase())
  return names.filter(name => name !== '' && name !== 'host' && name !== 'connection').toSorted()
}

async function get(port: number, tls: boolean, path: string): Promise<string> {
  const options = { host: '127.0.0.1', port, path, agent: false, rejectUnauthorized: false } as const
  return new Promise((resolve, reject) => {
    const sent = (tls ? requestTls : request)(options, response => {
      let text = ''
      response.setEncoding('latin1')
      response.on('data', (part: string) => {
        text += part
      })
      response.on('end', () => resolve(text))
      response.on('error', reject)
    })
    sent.setTimeout(5000, () => sent.destroy(new Error('no answer within 5 s')))
    sent.on('error', reject)
    sent.end()
  })
}
