import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { AssignedInstance } from '../src/contracts/assignment.ts'
import { writeFileAtomic } from '../src/core/atomic-file.ts'
import { instanceName } from '../src/core/ids.ts'
import type { Account } from './account.ts'
import type { Confinement } from './confinement.ts'
import type { InstanceFolders } from './folders.ts'
import { writeAs } from './write-as.ts'

/**
 * Tells a role what may change under its process: `$HOME/.vipswap/settings.json` (name → value, without secrets) and `peers.json` (the
 * deployment's instances by role). Each file appears whole, by rename.
 */
export async function writeTold(
  folders: InstanceFolders,
  assigned: AssignedInstance,
  confinement: Confinement,
  account: Account | null,
): Promise<void> {
  const folder = join(folders.home, '.vipswap')
  if (account === null) await mkdir(folder, { recursive: true })
  const write = async (name: string, value: unknown): Promise<void> => {
    const text = `${JSON.stringify(value, null, 2)}\n`
    if (account === null) writeFileAtomic(join(folder, name), text, { durable: false })
    else await writeAs(confinement, account, { path: join(folder, name), text })
  }
  const { settings, secrets = [] } = assigned.spec
  await write('settings.json', Object.fromEntries(Object.entries(settings).filter(([name]) => !secrets.includes(name))))
  const roles = Object.entries(assigned.peers ?? {}).map(([role, count]) => [
    role,
    Array.from({ length: count }, (_, index) => instanceName(role, index)),
  ])
  await write('peers.json', {
    deployment: assigned.deployment,
    instance: assigned.instance,
    roles: Object.fromEntries(roles) as Record<string, string[]>, // as built above
  })
}

/** Is there something that a process under `known` was not told yet? A new incarnation is a start, not a telling. */
export function hasNews(known: AssignedInstance, wanted: AssignedInstance): boolean {
  if (known.incarnation !== wanted.incarnation || wanted.desired === 'stop') return false
  const text = ({ peers, spec }: AssignedInstance): string => JSON.stringify([spec.id, spec.settings, peers])
  return text(known) !== text(wanted)
}
