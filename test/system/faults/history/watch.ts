import type { Client } from '../../../../src/client/client.ts'
import type { ServiceView } from '../../../../src/contracts/api/service.ts'
import { SLOTS, type Slot } from '../../../../src/model/slot.ts'
import type { InstanceLine, SlotsLine } from './line.ts'
import { timeNow, type Recorder } from './recorder.ts'

const POLL_MS = 100

export interface Watch {
  /** Every change of an instance that was seen so far, oldest first. */
  readonly instances: readonly InstanceLine[]
  stop(): Promise<void>
}

/** Records the timeline, and instances and slots of a service whenever they changed. A controller that is away is waited for. */
export function watchService(client: Client, service: string, recorder: Recorder): Watch {
  const ended = new AbortController()
  const seen: InstanceLine[] = []
  const known = new Map<string, InstanceLine>()
  let slots = ''

  const look = (view: ServiceView): void => {
    const at = timeNow()
    const now: SlotsLine = {
      type: 'slots',
      at,
      production: view.slots.production?.id ?? null,
      staging: view.slots.staging?.id ?? null,
    }
    const shape = `${now.production} ${now.staging}`
    if (shape !== slots) recorder.add(now)
    slots = shape
    const present = new Set<string>()
    for (const slot of SLOTS) {
      for (const line of instancesOf(view, slot, at)) {
        const key = `${line.deployment} ${line.id}`
        present.add(key)
        const before = known.get(key)
        if (before !== undefined && sameInstance(before, line)) continue
        known.set(key, line)
        seen.push(line)
        recorder.add(line)
      }
    }
    for (const [key, line] of known) {
      if (present.has(key)) continue
      known.delete(key)
      const last: InstanceLine = { ...line, at, gone: true }
      seen.push(last)
      recorder.add(last)
    }
  }

  const poll = async (): Promise<void> => {
    while (!ended.signal.aborted) {
      await client.service(service).then(look, () => undefined)
      await new Promise(resolve => {
        setTimeout(resolve, POLL_MS)
      })
    }
  }
  const listen = async (): Promise<void> => {
    try {
      for await (const event of client.events({ follow: true, signal: ended.signal })) {
        recorder.add({ ...event, type: 'event', at: Date.parse(event.at) })
      }
    } catch {
      // The system is gone: what was heard is recorded.
    }
  }
  const running = Promise.all([poll(), listen()])
  return {
    instances: seen,
    async stop() {
      ended.abort()
      await running
    },
  }
}

function* instancesOf(view: ServiceView, slot: Slot, at: number): Generator<InstanceLine> {
  const deployment = view.slots[slot]
  for (const { id, status, routing, version, upgradeDomain, node, pid } of deployment?.instances ?? []) {
    const what = { id, status, routing, version, upgradeDomain, node, pid }
    yield { type: 'instance', at, slot, deployment: deployment?.id ?? '', ...what, gone: false }
  }
}

function sameInstance(a: InstanceLine, b: InstanceLine): boolean {
  return JSON.stringify({ ...a, at: 0 }) === JSON.stringify({ ...b, at: 0 })
}
