import type { Peer } from '../connections/peer.ts'
import { fieldIn, loggedStatus, MAX_FIELD, MAX_METHOD, MAX_TARGET, type AccessEntry } from './entry.ts'
import { escapeJson } from './escape.ts'

/** Parts are kept for so many VIPs; there are rarely more. */
const MAX_PLACES = 1000
const THOUSANDTHS: readonly string[] = Array.from({ length: 1000 }, (_, n) => `.${String(n).padStart(3, '0')}`)

/** What does not change from request to request of a connection, or seldom. */
interface Client {
  readonly address: string
  fields: string
  agent: string
}

/**
 * Lines of JSON (docs/metrics.md has the fields). What several lines have in common is put together once: half of the cost
 * of a line is the number of its pieces.
 */
export class JsonFormat {
  readonly #places = new Map<string, string>()
  readonly #clients = new WeakMap<Peer, Client>()
  readonly #instances = new WeakMap<NonNullable<AccessEntry['instance']>, string>()

  /** One line with its line feed. `time` is ISO 8601. */
  line(entry: AccessEntry, time: string): string {
    const client = this.#client(entry)
    return (
      `{"time":"${time}",${this.#place(entry)}${client.address}"protocol":"${entry.protocol}",` +
      `"method":"${escapeJson(entry.method, MAX_METHOD)}","host":"${escapeJson(entry.host, MAX_FIELD)}",` +
      `"target":"${escapeJson(entry.target, MAX_TARGET)}","status":${loggedStatus(entry)},` +
      `"outcome":"${entry.outcome}","ending":"${entry.ending}",` +
      `"bytes_in":${entry.bytesIn},"bytes_out":${entry.bytesOut},"duration_ms":${milliseconds(entry.durationMs)}` +
      (entry.firstByteMs === null ? '' : `,"first_byte_ms":${milliseconds(entry.firstByteMs)}`) +
      (entry.upstreamMs === null ? '' : `,"upstream_ms":${milliseconds(entry.upstreamMs)}`) +
      (entry.heldMs === 0 ? '' : `,"held_ms":${milliseconds(entry.heldMs)}`) +
      (entry.replays === 0 ? '' : `,"replays":${entry.replays}`) +
      (entry.instance === null ? '' : this.#instance(entry.instance)) +
      (entry.requestId === '' ? '' : `,"request_id":"${escapeJson(entry.requestId, MAX_FIELD)}"`) +
      (entry.forwardedFor === null ? '' : `,"forwarded_for":"${escapeJson(entry.forwardedFor, MAX_FIELD)}"`) +
      client.agent
    )
  }

  #place({ vip, service, slot }: AccessEntry): string {
    let place = this.#places.get(vip)
    if (place === undefined) {
      if (this.#places.size >= MAX_PLACES) this.#places.clear()
      place = `"vip":"${vip}","service":"${service}",${slot === null ? '' : `"slot":"${slot}",`}`
      this.#places.set(vip, place)
    }
    return place
  }

  #client({ peer, fields }: AccessEntry): Client {
    let client = this.#clients.get(peer)
    if (client === undefined) {
      const address = `"client_addr":"${peer.address}","client_port":${peer.port},`
      client = { address, fields: '', agent: '}\n' }
      this.#clients.set(peer, client)
    }
    if (client.fields !== fields) {
      client.fields = fields
      client.agent = `${field('user_agent', fieldIn(fields, 'user-agent:'))}${field('referer', fieldIn(fields, 'referer:'))}}\n`
    }
    return client
  }

  #instance(of: NonNullable<AccessEntry['instance']>): string {
    let text = this.#instances.get(of)
    if (text === undefined) {
      text = field('deployment', of.deployment) + field('instance', of.instance) + field('version', of.version)
      this.#instances.set(of, text)
    }
    return text
  }
}

function field(name: string, value: string): string {
  return value === '' ? '' : `,"${name}":"${escapeJson(value, MAX_FIELD)}"`
}

/** To the microsecond. Put together from integers: the shortest text of a double costs five times as much. */
function milliseconds(ms: number): string {
  const us = Math.round(ms * 1000)
  const whole = Math.floor(us / 1000)
  return whole + (THOUSANDTHS[us - whole * 1000] ?? '')
}
