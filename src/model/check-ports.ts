import { SLOTS, type Slot } from './slot.ts'
import type { ServiceDefinition } from './definition.ts'
import type { Findings } from './findings.ts'
import { sameHost } from './vip-address.ts'

interface Public {
  readonly path: readonly string[]
  readonly slot: Slot
  readonly host: string
  readonly port: number
}

/** Offsets that are tried, in this order, for the suggestion that resolves a clash. */
const OFFSETS = [1, 1000, 100, 5000, 10_000, 20_000]

/**
 * Two VIPs of a service cannot listen on the same address and port. Either production's port is used twice, or a
 * staging port (port + offset) falls on another endpoint's.
 */
export function checkPorts(definition: ServiceDefinition, findings: Findings): void {
  const taken = new Taken()
  // Found at the first clash: it is the same for all.
  let offset: number | null | undefined
  for (const one of publics(definition, definition.vips.staging.portOffset)) {
    if (one.port > 65535) {
      findings.fault(
        one.path,
        `its ${one.slot} VIP would be port ${one.port}`,
        'write a lower port or a smaller offset',
      )
      continue
    }
    const other = taken.take(one)
    if (other === null) continue
    const rival = other.path === one.path ? 'its own' : other.path.join('.')
    if (one.slot === other.slot) {
      if (one.slot === 'production') {
        findings.fault(one.path, `found ${one.port}, which is the port of ${rival} too`, 'write a port of its own')
      }
      continue
    }
    if (offset === undefined) offset = workingOffset(definition)
    findings.fault(
      one.path,
      `its staging VIP ${one.host}:${one.port} is taken by the production VIP of ${rival}`,
      remedy(offset, one.host),
    )
  }
}

/** All public endpoints with fixed ports, production first. */
function publics({ roles, vips }: ServiceDefinition, stagingOffset: number): Public[] {
  const offsets = { production: vips.production.portOffset, staging: stagingOffset }
  return SLOTS.flatMap(slot =>
    Object.values(roles).flatMap(role =>
      role.endpoints
        .filter(endpoint => !endpoint.internal && endpoint.port !== 0)
        .map(endpoint => ({
          path: ['roles', role.name, 'endpoints', endpoint.name, 'port'],
          slot,
          host: vips[slot].host,
          port: endpoint.port + offsets[slot],
        })),
    ),
  )
}

/** Who has which address and port. */
class Taken {
  readonly #byPort = new Map<number, Public[]>()

  /** Takes its place; null, or who has it already. */
  take(one: Public): Public | null {
    const there = this.#byPort.get(one.port) ?? []
    const other = there.find(it => sameHost(it.host, one.host))
    if (other !== undefined) return other
    this.#byPort.set(one.port, [...there, one])
    return null
  }
}

/** An offset of the staging ports with which nothing clashes; null: none of those that are tried. */
function workingOffset(definition: ServiceDefinition): number | null {
  const found = OFFSETS.find(candidate => {
    const taken = new Taken()
    return publics(definition, candidate).every(one => one.port <= 65535 && taken.take(one) === null)
  })
  return found ?? null
}

function remedy(offset: number | null, host: string): string {
  const written = host.includes(':') ? `[${host}]` : host
  return offset === null
    ? 'set vips.staging to another address'
    : `set vips: { staging: "${written}:+${offset}" }, or another port here`
}
