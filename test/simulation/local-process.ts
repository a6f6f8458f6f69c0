import type { AssignedInstance, InstanceObservation, ObservedState } from '../../src/contracts/assignment.ts'

/** An instance as its agent knows it. */
export interface Local {
  incarnation: number
  attempt: number
  state: ObservedState
  alive: boolean
  deaths: number
  sticky: 'cycling' | 'failed' | null
  wanted: AssignedInstance | null
  /** Grows when what was planned for it no longer counts. */
  generation: number
}

export function fresh(): Local {
  return {
    incarnation: 0,
    attempt: 0,
    state: 'stopped',
    alive: false,
    deaths: 0,
    sticky: null,
    wanted: null,
    generation: 0,
  }
}

/**
 * How the processes of a version behave, until they are healed: `bad` crashes at its start, `hang` is never ready, `flap`
 * comes and goes, `sick` is ready once and never again.
 */
export function natureOf(version: string): 'good' | 'bad' | 'hang' | 'flap' | 'sick' {
  if (version.includes('sick')) return 'sick'
  if (version.includes('bad')) return 'bad'
  if (version.includes('hang')) return 'hang'
  return version.includes('flap') ? 'flap' : 'good'
}

/** One start of one process, as the data plane names it. */
export function targetOf(key: string, { incarnation, attempt }: Local): string {
  return `${key}#${incarnation}.${attempt}`
}

export function observe(key: string, local: Local): InstanceObservation {
  const incarnation = local.alive ? local.incarnation : (local.wanted?.incarnation ?? local.incarnation)
  const busy = local.state === 'preparing' || local.state === 'starting' || local.state === 'backoff'
  return {
    key,
    incarnation,
    ...(local.wanted?.spec.id === undefined ? {} : { spec: local.wanted.spec.id }),
    attempt: incarnation === local.incarnation ? local.attempt : 0,
    state: busy && local.sticky !== null ? local.sticky : local.state,
    version: local.wanted?.spec.version ?? '',
    host: '127.0.0.1',
    ports: local.alive
      ? Object.fromEntries((local.wanted?.spec.endpoints ?? []).map(({ name }) => [name, 20_000]))
      : {},
    pid: local.alive ? 1 : null,
    restarts: Math.max(0, local.attempt - 1),
    since: 0,
    detail: local.state,
  }
}
