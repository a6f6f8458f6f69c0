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
  const taken: Public[] = []
  for (const one of publics(definition, definition.vips.staging.portOffset)) {
    if (one.port > 65535) {
      findings.fault(
        one.path,
        `its ${one.slot} VIP would be port ${one.port}`,
        'write a lower port or a smaller offset',
      )
      continue
    }
    const other = taken.find(it => it.port === one.port && sameHost(it.host, one.host))
    if (other === undefined) {
      taken.push(one)
      continue
    }
    const rival = other.path === one.path ? 'its own' : other.path.join('.')
    if (one.slot === other.slot) {
      if (one.slot === 'production') {
        findings.fault(one.path, `found ${one.port}, which is the port of ${rival} too`, 'write a port of its own')
      }
      continue
    }
    findings.fault(
      one.path,
      `its staging VIP ${one.host}:${one.port} is taken by the production VIP of ${rival}`,
      remedy(definition, one.host),
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

function remedy(definition: ServiceDefinition, host: string): string {
  const offset = OFFSETS.find(candidate => {
    const all = publics(definition, candidate)
    return all.every(
      (a, i) => a.port <= 65535 && !all.some((b, j) => j < i && a.port === b.port && sameHost(a.host, b.host)),
    )
  })
  const written = host.includes(':') ? `[${host}]` : host
  return offset === undefined
    ? 'set vips.staging to another address'
    : `set vips: { staging: "${written}:+${offset}" }, or another port here`
}
