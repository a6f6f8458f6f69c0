import type { AssignedInstance, InstanceObservation } from '../../src/contracts/assignment.ts'

/** What is reported of an instance that is at once what it is told to be, all its endpoints on one port. */
export function observeIdeal({ key, incarnation, desired, spec }: AssignedInstance, port: number): InstanceObservation {
  const runs = desired === 'run'
  return {
    key,
    incarnation,
    ...(spec.id === undefined ? {} : { spec: spec.id }),
    attempt: runs ? 1 : 0,
    state: runs ? 'ready' : 'stopped',
    version: spec.version,
    host: '127.0.0.1',
    ports: runs ? Object.fromEntries(spec.endpoints.map(({ name }) => [name, port])) : {},
    pid: runs ? 1 : null,
    restarts: 0,
    since: 0,
    detail: '',
  }
}
