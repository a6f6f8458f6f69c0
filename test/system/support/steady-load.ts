import { Agent, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'

export interface LoadCounts {
  /** Answered 2xx. */
  ok: number
  /** What else happened, by what it was. */
  readonly failures: Map<string, number>
  /** Answers by their text, trimmed. */
  readonly texts: Map<string, number>
}

/**
 * `clients` keep-alive clients asking for `url` one after the other, `pauseMs` between an answer and the next, never trying
 * again, until stopped.
 */
export function startSteadyLoad(
  url: string,
  clients = 8,
  pauseMs = 0,
): { counts: LoadCounts; stop(): Promise<LoadCounts> } {
  const counts: LoadCounts = { ok: 0, failures: new Map(), texts: new Map() }
  const agent = new Agent({ keepAlive: true, maxSockets: clients })
  let stopping = false
  const count = (map: Map<string, number>, key: string): void => {
    map.set(key, (map.get(key) ?? 0) + 1)
  }
  const one = (): Promise<void> =>
    new Promise(resolve => {
      const call = request(url, { agent }, response => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (part: string) => {
          text += part
        })
        response.on('error', error => {
          count(counts.failures, `answer: ${error.message}`)
          resolve()
        })
        response.on('end', () => {
          const status = response.statusCode ?? 0
          if (status >= 200 && status < 300) {
            counts.ok += 1
            count(counts.texts, text.trim())
          } else {
            count(counts.failures, `status ${status}`)
          }
          resolve()
        })
      })
      call.on('error', error => {
        count(counts.failures, error.message)
        resolve()
      })
      call.end()
    })
  const loops = Array.from({ length: clients }, async () => {
    while (!stopping) {
      await one()
      if (pauseMs > 0) await delay(pauseMs)
    }
  })
  return {
    counts,
    stop: async () => {
      stopping = true
      await Promise.all(loops)
      agent.destroy()
      return counts
    },
  }
}
