import { execFileSync } from 'node:child_process'
import { delimiter, join } from 'node:path'
import type { NodeFacts } from '../src/contracts/link.ts'
import type { Account } from './account.ts'

/** What this machine gives to hold role processes in; found once, when an agent starts. */
export interface Confinement {
  /** Path of util-linux's setpriv, which changes users and takes new privileges away; null: not here. */
  readonly setpriv: string | null
  readonly isRoot: boolean
}

/** Tries what is needed, since programs of the same name (busybox) can less. */
export function findConfinement(path = '/usr/local/bin:/usr/bin:/bin'): Confinement {
  const setpriv = path
    .split(delimiter)
    .filter(folder => folder.startsWith('/'))
    .map(folder => join(folder, 'setpriv'))
    .find(works)
  return { setpriv: setpriv ?? null, isRoot: process.getuid?.() === 0 }
}

function works(setpriv: string): boolean {
  try {
    execFileSync(setpriv, ['--no-new-privs', '/bin/sh', '-c', ':'], { stdio: 'ignore', timeout: 5000 })
    return true
  } catch {
    return false
  }
}

/**
 * The words that run a command as an account and without new privileges: set-user-id programs and file capabilities give
 * it nothing. Each replaces itself by the next, so that the process is the command's own.
 */
export function confinedWords({ setpriv }: Confinement, account: Account | null, words: readonly string[]): string[] {
  if (setpriv === null) return [...words]
  const user =
    account === null
      ? []
      : [
          '--reuid',
          String(account.uid),
          '--regid',
          String(account.gid),
          '--init-groups',
          '--inh-caps=-all',
          '--bounding-set=-all',
        ]
  return [setpriv, ...user, '--no-new-privs', '--', ...words]
}

/** What is held to here, for the controller to show. */
export function confines(
  { setpriv, isRoot }: Confinement,
  cgroup: readonly string[],
): NonNullable<NodeFacts['confines']> {
  return [...(setpriv === null ? [] : ['no-new-privileges', ...(isRoot ? ['users'] : [])]), ...cgroup]
}

/** What is not, a line each, with what to do. */
export function lacks({ setpriv, isRoot }: Confinement, cgroup: readonly string[]): string[] {
  return [
    ...(setpriv === null
      ? [
          'role processes may gain privileges by set-user-id programs, and run as the agent only: there is no setpriv (util-linux)',
        ]
      : isRoot
        ? []
        : ['role processes run as the user of this agent: only root may change that']),
    ...(cgroup.includes('memory') && cgroup.includes('cpu')
      ? []
      : ['sizes are counted, not enforced: give the agent a folder of cgroup v2 with memory and cpu (--cgroup)']),
  ]
}
