import { Agent, WebSocket } from 'undici'
import type { VerifyProbe } from '../../../model/role-traffic.ts'

const FIRST_MS = 15_000
const HOLD_MS = 3000

/** Broken off without a Close frame. */
const ABNORMAL = 1006

/**
 * A WebSocket: it opens, answers the probe's `body` where there is one, and stays until it is let go. A Close frame from the
 * other side is fine, whatever it says: that is how a planned end is told.
 */
export async function holdWebSocket(origin: string, host: string, probe: VerifyProbe): Promise<string | null> {
  const agent = new Agent({ connect: { rejectUnauthorized: false, servername: host } })
  const socket = new WebSocket(`${origin.replace(/^http/, 'ws')}${probe.path}`, {
    dispatcher: agent,
    headers: { host, 'user-agent': 'vipswap-verify' },
  })
  try {
    return await new Promise<string | null>(resolve => {
      let opened = false
      let held: NodeJS.Timeout | undefined
      const first = setTimeout(
        () => finish(opened ? `no message within ${FIRST_MS} ms` : `not open within ${FIRST_MS} ms`),
        FIRST_MS,
      )
      const finish = (loss: string | null): void => {
        clearTimeout(first)
        clearTimeout(held)
        resolve(loss)
      }
      const hold = (): void => {
        clearTimeout(first)
        held ??= setTimeout(() => finish(null), HOLD_MS)
      }
      socket.addEventListener('open', () => {
        opened = true
        if (probe.body === null) hold()
        else socket.send(probe.body)
      })
      socket.addEventListener('message', hold)
      socket.addEventListener('close', ({ code }) => {
        finish(code === ABNORMAL ? (opened ? 'broken off without a Close frame' : 'it did not open') : null)
      })
      // A `close` follows.
      socket.addEventListener('error', () => undefined)
    })
  } finally {
    if (socket.readyState === WebSocket.OPEN) socket.close(1000)
    // Closed in good order if the other side does; not waited for.
    setTimeout(() => void agent.destroy(), 1000)
  }
}
