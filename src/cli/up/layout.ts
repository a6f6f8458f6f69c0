import { createHash } from 'node:crypto'
import { chmodSync, lstatSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { VipswapError } from '../../core/errors.ts'
import { MAX_SOCKET_PATH } from '../../contracts/link.ts'

/** The folders of one `vipswap up`. */
export interface Layout {
  readonly data: string
  /** Sockets and `stop`. Inside `data`, unless socket paths would become too long there. */
  readonly run: string
  readonly logs: string
  readonly pids: string
}

/** Makes the folders, private to this user. Rejects where one belongs to somebody else. */
export function createLayout(data: string, temporary = tmpdir()): Layout {
  const root = resolve(data)
  const inside = join(root, 'run')
  const short = join(temporary, `vipswap-${createHash('sha256').update(root).digest('hex').slice(0, 12)}`)
  const fits = Buffer.byteLength(join(inside, 'controller.sock')) <= MAX_SOCKET_PATH
  const layout = { data: root, run: fits ? inside : short, logs: join(root, 'logs'), pids: join(inside, 'pids') }
  for (const directory of [layout.data, inside, layout.run, layout.logs, layout.pids]) makePrivate(directory)
  return layout
}

function makePrivate(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const found = lstatSync(directory)
  // Under a shared temporary folder anybody could have made it first, or made it a link.
  if (!found.isDirectory() || (process.getuid !== undefined && found.uid !== process.getuid())) {
    throw new VipswapError(
      'forbidden',
      `${directory} is not a folder of yours; remove it, or choose another with --data`,
    )
  }
  // An agent lets role processes of other users pass through, and no more.
  if ((found.mode & 0o066) !== 0) chmodSync(directory, 0o700)
}
