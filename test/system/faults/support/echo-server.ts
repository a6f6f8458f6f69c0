import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Trial } from './trial.ts'

/** What an instance of the suite's role notes on disk, a server of somebody else has noted here. */
export function noteExecuted(trial: Trial, instance: string, nonce: string): void {
  trial.recorder.add({ type: 'executed', at: Date.now(), nonce, instance, deployment: '', pid: process.pid })
}

/** A well-behaved server of somebody else: answers what the clients of the suite expect. */
export async function startEchoServer(trial: Trial, name: string): Promise<number> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const nonce = request.headers['x-nonce']
      if (request.method === 'POST') noteExecuted(trial, name, String(nonce))
      response.writeHead(200, { 'x-instance': name, ...(nonce === undefined ? {} : { 'x-nonce': nonce }) })
      response.end(Buffer.concat(chunks))
    })
  })
  server.keepAliveTimeout = 60_000
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  trial.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return (server.address() as AddressInfo).port
}
