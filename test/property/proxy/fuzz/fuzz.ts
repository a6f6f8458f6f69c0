import { METHODS } from 'node:http'
import type { Prng } from '../../../simulation/prng.ts'
import { DIVERGENCES, type Divergence } from './divergences.ts'
import { generateAnswer, generateRequests } from './generate.ts'
import type { Message, Reading } from './message.ts'
import { NodeServer, readAnswerByNode } from './node.ts'
import { readOwnAnswer, readOwnRequests, type OwnReading } from './own.ts'

/** A message that shows a fault, in a form to be pasted into a test. */
export interface Finding {
  readonly what: string
  readonly text: string
  readonly detail: string
}

export interface Tally {
  both: number
  neither: number
  readonly divergences: Map<Divergence, number>
}

export function newTally(): Tally {
  return { both: 0, neither: 0, divergences: new Map() }
}

function same(one: Message | undefined, other: Message | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

/** Both read alike as far as both go on; where one stops earlier, the table says why it may. */
function differential(
  of: Divergence['of'],
  text: string,
  own: OwnReading,
  other: Reading,
  tally: Tally,
): Finding | null {
  const common = Math.min(own.messages.length, other.messages.length)
  const detail = JSON.stringify({ own, other })
  for (let n = 0; n < common; n++) {
    if (!same(own.messages[n], other.messages[n])) return { what: `${of} ${n} is read differently`, text, detail }
  }
  if (own.messages.length === other.messages.length) {
    if (common > 0) tally.both++
    else tally.neither++
    return null
  }
  const stricter = own.messages.length < other.messages.length ? 'proxy' : 'node'
  const why = (stricter === 'proxy' ? own.why : other.why) ?? ''
  const from = stricter === 'proxy' ? text.slice(own.at) : text
  for (const one of DIVERGENCES) {
    if (one.of !== of || one.stricter !== stricter || !one.why.test(why)) continue
    if (one.looks !== undefined && !looksSo(one.looks, from, stricter)) continue
    tally.divergences.set(one, (tally.divergences.get(one) ?? 0) + 1)
    return null
  }
  return { what: `${stricter} is stricter and nothing says why`, text, detail }
}

/** Where Node stopped is not known: any message of the connection may be the one. */
function looksSo(looks: RegExp, text: string, stricter: Divergence['stricter']): boolean {
  if (looks.test(text)) return true
  if (stricter === 'proxy') return false
  for (let at = 1; at < text.length; at++) if (looks.test(text.slice(at))) return true
  return false
}

/** What is sent on reads as what was read, by both. */
async function roundTrip(
  text: string,
  own: OwnReading,
  again: OwnReading,
  other: Reading | null,
  added: (message: Message) => Message,
): Promise<Finding | null> {
  for (const [n, message] of own.messages.entries()) {
    const expected = added(message)
    const detail = JSON.stringify({ forwarded: own.forwarded, expected, again, other })
    if (!same(again.messages[n], expected)) return { what: 'forwarded, the proxy reads it differently', text, detail }
    if (other !== null && !same(other.messages[n], expected)) {
      return { what: 'forwarded, Node reads it differently', text, detail }
    }
  }
  return null
}

function cutsOf(random: Prng, text: string): number[] {
  const cuts: number[] = []
  for (let n = random.between(1, 6); n > 0; n--) cuts.push(random.between(0, text.length))
  return cuts.sort((one, other) => one - other)
}

const server = new NodeServer()

/** One invented connection with requests, looked at from all sides. */
export async function fuzzRequests(random: Prng, tally: Tally): Promise<Finding | null> {
  const text = generateRequests(random)
  const own = readOwnRequests(text)
  const cuts = cutsOf(random, text)
  const inPieces = readOwnRequests(text, cuts)
  if (JSON.stringify(inPieces.messages) !== JSON.stringify(own.messages) || inPieces.why !== own.why) {
    return { what: 'read differently in pieces', text, detail: JSON.stringify({ cuts, own, inPieces }) }
  }
  const other = await server.read(text)
  const found = differential('request', text, own, other, tally)
  if (found !== null || own.messages.length === 0) return found
  const sent = own.forwarded.join('')
  const byNode = own.messages.length <= other.messages.length && own.messages.every(one => isKnown(one.start))
  return roundTrip(text, own, readOwnRequests(sent), byNode ? await server.read(sent) : null, message => {
    const version = /Via: (1\.\d) vipswap\r\n/.exec(own.forwarded[own.messages.indexOf(message)] ?? '')?.[1] ?? ''
    return { ...message, fields: [...message.fields, ['via', `${version} vipswap`]] }
  })
}

function isKnown(start: string): boolean {
  return METHODS.includes(start.slice(0, start.indexOf(' ')))
}

/** One invented answer, looked at from all sides. */
export async function fuzzAnswer(random: Prng, tally: Tally): Promise<Finding | null> {
  const text = generateAnswer(random)
  const method = random.chance(0.2) ? 'HEAD' : 'GET'
  const own = readOwnAnswer(text, method)
  const cuts = cutsOf(random, text)
  const inPieces = readOwnAnswer(text, method, cuts)
  if (JSON.stringify(inPieces.messages) !== JSON.stringify(own.messages) || inPieces.why !== own.why) {
    return { what: 'read differently in pieces', text, detail: JSON.stringify({ cuts, own, inPieces }) }
  }
  const other = await readAnswerByNode(text, method)
  const found = differential('answer', text, own, other, tally)
  if (found !== null || own.messages.length === 0) return found
  const sent = own.forwarded.join('')
  const byNode = other.messages.length > 0 ? await readAnswerByNode(sent, method) : null
  return roundTrip(text, own, readOwnAnswer(sent, method), byNode, message => {
    if (message.fields.some(([name]) => name === 'date')) return message
    const date = /\r\nDate: ([^\r]*)\r\n/.exec(sent)?.[1] ?? ''
    return { ...message, fields: [...message.fields, ['date', date]] }
  })
}
