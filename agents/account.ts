import { execFileSync } from 'node:child_process'
import { chmodSync, lstatSync, readdirSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { VipswapError } from '../src/core/errors.ts'

/** Whom a role process runs as, where that is not the agent's own user. */
export interface Account {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/**
 * The account of a user's name or number; null where it is the agent's own. Throws `start_failed` where the system has
 * none, or where only root could change to it and the agent is not.
 */
export function accountOf(user: string): Account | null {
  const [uid, gid] = ['-u', '-g'].map(flag => numberOf(flag, user))
  if (uid === undefined || gid === undefined) {
    throw new VipswapError('start_failed', `this machine has no user "${user}"`)
  }
  const mine = process.getuid?.()
  if (uid === mine) return null
  if (mine !== 0) {
    throw new VipswapError(
      'start_failed',
      `it is to run as ${user}, and the agent runs as user ${mine ?? '?'}: only root may change that`,
    )
  }
  return { name: user, uid, gid }
}

/** `id` asks whatever the machine gets its users from. A name never begins with a dash. */
function numberOf(flag: string, user: string): number | undefined {
  try {
    const text = execFileSync('id', [flag, user], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    return /^\d+$/.test(text.trim()) ? Number(text) : undefined
  } catch {
    return undefined
  }
}

/**
 * Lets others pass through the folders from `root` down to `folder` (0711: by name, nothing is listed), and closes what
 * lies beside the way. Throws `start_failed` where a folder above `root`, which is not ours, is closed.
 */
export function openWay(root: string, folder: string, { name }: Account): void {
  for (let above = dirname(root); ; above = dirname(above)) {
    if ((statSync(above).mode & 0o001) === 0) {
      throw new VipswapError(
        'start_failed',
        `it is to run as ${name}, to whom ${above} is closed: put the data folder (--data) where all may pass`,
      )
    }
    if (above === dirname(above)) break
  }
  let way = root
  for (const step of relative(root, folder).split('/')) {
    // What lies beside was closed by the folder around it; now it is by its own mode. Other nodes, deployments and instances
    // may have users of their own, to whom they stay passable.
    const mask = step === 'nodes' || step === 'instances' ? 0o700 : 0o711
    for (const { name: beside } of readdirSync(way, { withFileTypes: true }))
      if (beside !== step) narrow(join(way, beside), mask)
    chmodSync(way, 0o711)
    way = join(way, step)
  }
  chmodSync(way, 0o711)
}

function narrow(path: string, mask: number): void {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined || found.isSymbolicLink() || found.uid !== process.getuid?.()) return
  const [mode, allowed] = [found.mode & 0o7777, found.isDirectory() ? mask : 0o700]
  if ((mode & ~allowed) !== 0) chmodSync(path, mode & allowed)
}
