import { errorMessage } from '../../src/core/errors.ts'
import type { Need, Peer, RunningPeer, Setup } from '../peers/peer.ts'
import { checkPeer } from './check-peer.ts'
import type { Context } from './workload.ts'

export interface StartedPeer {
  readonly name: string
  readonly running: RunningPeer
  /** Header fields that it adds to a request. */
  readonly adds: readonly string[]
}

export interface StartedPeers {
  readonly started: readonly StartedPeer[]
  /** Who was left out and why. */
  readonly notes: string[]
  stop(): Promise<void>
}

/** Starts, beside one instance, each of `peers` that can do what is needed. One that fails to start is left out and said. */
export async function startPeers(
  context: Context,
  peers: readonly Peer[],
  { need = null, largeBodies = false }: { need?: Need | null; largeBodies?: boolean } = {},
): Promise<StartedPeers> {
  const tls = need === 'tls' ? context.certificate() : null
  const { child, port } = await context.origin()
  const started: StartedPeer[] = []
  const notes: string[] = []
  for (const peer of peers) {
    const lack = need === null ? null : peer.lacks(need)
    if (lack !== null) {
      notes.push(`${peer.name} is left out: ${lack}`)
      continue
    }
    const setup: Setup = { origin: port, folder: context.folder(peer.name), tls, largeBodies, pin: context.cores.proxy }
    let running: RunningPeer | null = null
    try {
      running = await peer.start(setup)
      started.push({ name: peer.name, running, adds: await checkPeer(running.port, tls !== null) })
    } catch (error) {
      await running?.stop()
      notes.push(`${peer.name} is left out: ${errorMessage(error)}`)
    }
  }
  return {
    started,
    notes: [...notes, ...unlike(started)],
    async stop() {
      await Promise.all(started.map(async ({ running }) => running.stop()))
      await child.stop()
    },
  }
}

/** In words, who adds less to a request than vipswap does. */
function unlike(started: readonly StartedPeer[]): string[] {
  const ours = started.find(({ name }) => name === 'vipswap')?.adds ?? []
  return started.flatMap(({ name, adds }) => {
    const missing = ours.filter(field => !adds.includes(field))
    return missing.length === 0 ? [] : [`${name} does not add ${missing.join(', ')}`]
  })
}
