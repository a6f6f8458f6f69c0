import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Where a peer's process finds the instance. */
export const ORIGIN_PORT = Number(process.argv[2])

/** Listens on a free port and says which; ends when the bench does. */
export function serve(server: Server): void {
  // Connections of an idle workload must not be closed under it.
  server.keepAliveTimeout = 75_000
  server.listen({ port: 0, host: '127.0.0.1', backlog: 8192 }, () => {
    // A server that listens on a port has an AddressInfo.
    process.stdout.write(`port ${(server.address() as AddressInfo).port}\n`)
  })
  process.stdin.on('end', () => process.exit(0)).resume()
}
