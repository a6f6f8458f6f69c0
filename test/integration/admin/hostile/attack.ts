import { connect } from 'node:net'
import { Prng } from '../../../simulation/prng.ts'
import { hostileRequest } from './requests.ts'

export interface Attack {
  /** Of the admin. */
  readonly port: number
  readonly seed: number
  readonly count: number
  /** null: nobody's. */
  readonly token: string | null
}

export interface Outcome {
  /** Answers by their status; `closed`: none, and the connection ended. */
  readonly statuses: ReadonlyMap<string, number>
  /** Answers that name an operation. */
  readonly accepted: number
  /** What must not be: 5xx, nothing at all for twenty seconds; with the request that met it. */
  readonly faults: readonly string[]
}

const HANG_MS = 20_000
const HANGS = 'hangs'
const AT_ONCE = 8

/** Sends so many hostile requests, each on a connection of its own. */
export async function attack({ port, seed, count, token }: Attack): Promise<Outcome> {
  const prng = new Prng(seed)
  const random = (below: number): number => Math.floor(prng.next() * below)
  const statuses = new Map<string, number>()
  const faults: string[] = []
  let accepted = 0
  let left = count
  const one = async (): Promise<void> => {
    while (left > 0) {
      left -= 1
      const request = hostileRequest(random, token)
      const answer = await send(port, request)
      const status = answer === HANGS ? HANGS : statusOf(answer)
      if (/\r\nlocation: \/v1\/operations\//.test(answer)) accepted += 1
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
      if (status.startsWith('5') || status === HANGS) faults.push(`${status}: ${request.toString('latin1', 0, 400)}`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, one))
  return { statuses, accepted, faults }
}

/** The head of the answer; empty: there was none. */
async function send(port: number, request: Buffer): Promise<string> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    let text = ''
    let answered = false
    const end = (answer: string): void => {
      if (answered) return
      answered = true
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(HANG_MS, () => end(HANGS))
    socket.on('error', () => end(text))
    socket.on('close', () => end(text))
    socket.on('data', piece => {
      text = (text + piece.toString('latin1')).slice(0, 4000)
      // A stream goes on for ever, and what comes after the head says nothing more.
      if (/^HTTP\/1\.1 (?!100)\d{3}/.test(text) && text.includes('\r\n\r\n')) end(text)
    })
    socket.end(request)
  })
}

function statusOf(text: string): string {
  const all = [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status = '']) => status)
  return all.find(status => status !== '100') ?? 'closed'
}
