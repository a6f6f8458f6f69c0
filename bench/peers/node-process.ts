import { fileURLToPath } from 'node:url'
import { startNative } from '../proxy/native.ts'
import type { Need, Peer } from './peer.ts'

/** A proxy in Node, one process running `process/<script>`. */
export function nodePeer(
  name: string,
  script: string,
  version: () => string,
  lacks: Partial<Record<Need, string>>,
): Peer {
  return {
    name,
    version,
    lacks: need => lacks[need] ?? null,
    async start({ pin, origin }) {
      const file = fileURLToPath(new URL(`./process/${script}.js`, import.meta.url))
      const [child, port] = await startNative(name, pin, process.execPath, [file, String(origin)])
      return { port, pids: () => child.pids(), stop: async () => child.stop() }
    },
  }
}
