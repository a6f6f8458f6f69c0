import { setTimeout as delay } from 'node:timers/promises'
import type { ServiceView } from '../contracts/api/service.ts'
import { VipswapError } from '../core/errors.ts'
import { EXIT } from './exit-codes.ts'
import { visible } from './print/visible.ts'
import { watchedText } from './print/watched.ts'
import type { Session } from './session.ts'

/** Counts change without an event. */
const POLL_MS = 1000
/** Events of one change come together. */
const SETTLE_MS = 30

/**
 * Shows the state whenever it changes, until Ctrl-C: on a terminal in place, elsewhere (and as JSON) one after the other.
 * An event is looked at at once. While the controller is away it says so and tries again.
 */
export async function watchStatus(
  session: Session,
  read: () => Promise<readonly ServiceView[]>,
  print: (services: readonly ServiceView[]) => void,
): Promise<void> {
  const { terminal, flags } = session
  const { signal, done } = session.interruptible()
  const screen = terminal.drawsOn && flags.json !== true ? createScreen(session) : null
  const bell = createBell()
  void ringAtEvents(session, signal, bell.ring)
  let seen = ''
  try {
    while (!signal.aborted) {
      try {
        const services = await read()
        const text = JSON.stringify(services)
        if (text !== seen) {
          if (screen === null) print(services)
          else screen.draw(visible(services.map(service => watchedText(service, session)).join('\n\n')))
        }
        seen = text
      } catch (error) {
        // Before the first answer a wrong address should say so.
        if (seen === '' || !(error instanceof VipswapError) || error.code !== 'unreachable') throw error
        if (screen === null) session.note(`${error.message}; trying again`)
        else screen.draw(`${error.message}; trying again`)
        seen = ' '
      }
      await bell.heard(POLL_MS, signal)
    }
    session.exitCode = EXIT.interrupted
  } finally {
    screen?.end()
    done()
  }
}

async function ringAtEvents({ client, flags }: Session, signal: AbortSignal, ring: () => void): Promise<void> {
  const { service } = flags
  try {
    const events = client.events({ follow: true, signal, ...(service === undefined ? {} : { service }) })
    for await (const _event of events) ring()
  } catch {
    // Then it is looked at every second only.
  }
}

function createBell(): { ring: () => void; heard(timeoutMs: number, signal: AbortSignal): Promise<void> } {
  let wake: AbortController | null = null
  let rung = false
  return {
    ring() {
      rung = true
      wake?.abort()
    },
    async heard(timeoutMs, signal) {
      wake = new AbortController()
      if (!rung) await delay(timeoutMs, null, { signal: AbortSignal.any([signal, wake.signal]) }).catch(() => undefined)
      wake = null
      await delay(SETTLE_MS, null, { signal }).catch(() => undefined)
      rung = false
    },
  }
}

/** Redraws from the top left without clearing first, so that nothing flickers; long lines end at the edge. */
function createScreen({ terminal }: Session): { draw(text: string): void; end(): void } {
  let drawn = false
  return {
    draw(text) {
      const lines = `${new Date().toISOString().slice(0, 19).replace('T', ' ')}  (Ctrl-C leaves)\n\n${text}`.split('\n')
      const shown = lines.slice(0, Math.max(1, terminal.rows() - 1)).map(line => `${line}\u001b[K`)
      terminal.out(`${drawn ? '' : '\u001b[2J\u001b[?7l'}\u001b[H${shown.join('\n')}\u001b[0J`)
      drawn = true
    },
    end() {
      if (drawn) terminal.out('\u001b[?7h')
    },
  }
}
