import { connect, createServer, type AddressInfo } from 'node:net'

/** A port free just now, for a peer that must be told one. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', resolve)
  })
  // A server that listens on a port has an AddressInfo.
  const { port } = server.address() as AddressInfo
  await new Promise<void>(resolve => {
    server.close(() => resolve())
  })
  return port
}

/** Somebody accepts connections there. */
export async function listens(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host: '127.0.0.1', port })
    const answer = (heard: boolean): void => {
      socket.destroy()
      resolve(heard)
    }
    socket.once('connect', () => answer(true))
    socket.once('error', () => answer(false))
  })
}
