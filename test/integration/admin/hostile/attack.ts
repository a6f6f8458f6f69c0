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
  /** At once; default 8. */
  readonly atOnce?: number
  /** Of a package that is there. */
  readonly digest?: string
  /** Hears of every answer before the next request of the same sender; what it answers is a fault. */
  readonly judge?: (status: string) => Promise<string | null>
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
/** Some do not say where they end, but by ending. Others that end are not answered: Node takes that for having left. */
const OPEN_MS = 1000
const HANGS = 'hangs'
const AT_ONCE = 8

/** Sends so many hostile requests, each on a connection of its own. */
export async function attack({ port, seed, count, token, digest, atOnce = AT_ONCE, judge }: Attack): Promise<Outcome> {
  const prng = new Prng(seed)
  const random = (below: number): number => Math.floor(prng.next() * below)
  const statuses = new Map<string, number>()
  const faults: string[] = []
  let accepted = 0
  let left = count
  const one = async (): Promise<void> => {
    while (left > 0) {
      left -= 1
      const request = hostileRequest(random, token, digest)
      const answer = await send(port, request)
      const status = answer === HANGS ? HANGS : statusOf(answer)
      if (/\r\nlocation: \/v1\/operations\//.test(answer)) accepted += 1
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
      if (isFault(status, request)) faults.push(`${status}: ${request.toString('latin1', 0, 400)}`)
      const verdict = (await judge?.(status)) ?? null
      if (verdict !== null) faults.push(`${verdict}, ${status}: ${request.toString('latin1', 0, 400)}`)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, one))
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
      clearTimeout(enough)
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
    socket.write(request)
    const enough = setTimeout(() => socket.end(), OPEN_MS)
  })
}

/** An instance that is stopped just now is a reason for 503 on the road to it, and there alone. */
function isFault(status: string, request: Buffer): boolean {
  if (status === '503') return !/^\S+ \S+\/proxy\//.test(request.toString('latin1', 0, 400))
  return status.startsWith('5') || status === HANGS
}

function statusOf(text: string): string {
  const all = [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status = '']) => status)
  return all.find(status => status !== '100') ?? 'closed'
}
