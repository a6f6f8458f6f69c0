import type { Peer } from './peer.ts'
import { startNative } from '../proxy/native.ts'

/** A C program that only moves bytes: the least that a proxy on these system calls can cost. */
export function floor(program: string): Peer {
  return {
    name: 'floor',
    version: () => 'bench/peers/floor.c',
    lacks: need =>
      need === 'tls'
        ? 'it only moves bytes'
        : need === 'connection-per-request'
          ? 'it keeps no connections to the instance, so that it would open two for each request'
          : null,
    async start({ pin, origin }) {
      const [child, port] = await startNative('floor', pin, program, [String(origin)])
      return { port, pids: () => child.pids(), stop: async () => child.stop() }
    },
  }
}
