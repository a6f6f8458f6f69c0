import { connect, createServer, type Server, type Socket } from 'node:net'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Trial } from './trial.ts'

/**
 * `pass`: as it comes. `swallow`: connections are taken, and nothing ever comes back (a half-open peer). `trickle`: answers come
 * 16 bytes at a time, 20 ms apart. `cut`: the connection is reset after the first 16 bytes of an answer.
 */
export type ShimMode = 'pass' | 'swallow' | 'trickle' | 'cut'

export interface Shim {
  readonly port: number
  mode: ShimMode
}

/** A slow or broken network before a server: TCP in, TCP out, and what `mode` says in between, also of connections that are there. */
export async function startShim(trial: Trial, to: number): Promise<Shim> {
  const sockets = new Set<Socket>()
  const server: Server = createServer({ noDelay: true }, client => {
    const upstream = connect({ port: to, host: '127.0.0.1', noDelay: true })
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    client.on('data', chunk => upstream.write(chunk))
    let order = Promise.resolve()
    upstream.on('data', (chunk: Buffer) => {
      order = order.then(async () => answer(shim.mode, client, chunk))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  trial.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const shim: Shim = { port: (server.address() as AddressInfo).port, mode: 'pass' }
  return shim
}

async function answer(mode: ShimMode, client: Socket, chunk: Buffer): Promise<void> {
  switch (mode) {
    case 'pass':
      client.write(chunk)
      break
    case 'swallow':
      break
    case 'trickle':
      for (let at = 0; at < chunk.length && !client.destroyed; at += 16) {
        client.write(chunk.subarray(at, at + 16))
        await delay(20)
      }
      break
    case 'cut':
      client.write(chunk.subarray(0, 16))
      await delay(5)
      client.resetAndDestroy()
      break
  }
}
