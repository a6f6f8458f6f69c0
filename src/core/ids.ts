import { randomBytes } from 'node:crypto'

/** An identifier that sorts by the time it was made and is unique over all machines: `op` → `op-mc1k3v9q-5f2a9c`. */
export function createId(prefix: string, wall = Date.now()): string {
  return `${prefix}-${wall.toString(36)}-${randomBytes(4).toString('hex')}`
}

/** The name of instance `index` of a role, as Azure writes it. */
export function instanceName(role: string, index: number): string {
  return `${role}_IN_${index}`
}
