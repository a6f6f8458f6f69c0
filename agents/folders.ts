import { appendFile, chmod, cp, mkdir, readdir, rename, rmdir } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import { dirname, join } from 'node:path'
import type { AssignedInstance } from '../src/contracts/assignment.ts'
import type { Account } from './account.ts'
import { folderSize } from './folder-size.ts'
import { giveTree, removeTree } from './owned-tree.ts'

/**
 * The folders of one instance, after Azure's three drives: `role/<incarnation>` is E (the package's files), `system` is D
 * (temporary and home), `storage/<name>` is C (local storage).
 */
export class InstanceFolders {
  readonly root: string

  constructor(root: string) {
    this.root = root
  }

  get home(): string {
    return join(this.root, 'system', 'home')
  }

  get temporary(): string {
    return join(this.root, 'system', 'tmp')
  }

  get log(): string {
    return join(this.root, 'logs', 'output.log')
  }

  get record(): string {
    return join(this.root, 'run', 'process.json')
  }

  exitFile(token: string): string {
    return join(this.root, 'run', `exit-${token}`)
  }

  storage(name: string): string {
    return join(this.root, 'storage', name)
  }

  /** The package's copy of one incarnation. */
  files(incarnation: number): string {
    return join(this.root, 'role', String(incarnation))
  }

  /** Folders that exist whatever becomes of the start: logs and records. */
  async ensureBase(): Promise<void> {
    await mkdir(dirname(this.log), { recursive: true })
    await mkdir(dirname(this.record), { recursive: true })
  }

  /**
   * Lays out one incarnation: cleans as asked, once, and copies the package. Its role folder appears by rename at the end,
   * so its presence means that all this is done. Within an incarnation (a process or its node started again) all is kept;
   * a new one has new files in any case (Cloud Services: E is new after a reboot, a reimage and an upgrade).
   */
  async prepare(assigned: AssignedInstance, packageDirectory: string, account: Account | null = null): Promise<void> {
    const { incarnation, clean, spec } = assigned
    await this.ensureBase()
    const role = join(this.root, 'role')
    await mkdir(role, { recursive: true })
    if (!(await readdir(role)).includes(String(incarnation))) {
      if (clean !== 'none') await removeTree(join(this.root, 'system'))
      if (clean === 'all') await removeTree(join(this.root, 'storage'))
      const fresh = join(role, `new-${incarnation}`)
      await removeTree(fresh)
      await cp(packageDirectory, fresh, { recursive: true, verbatimSymlinks: true })
      await rename(fresh, this.files(incarnation))
    }
    const own = [this.home, this.temporary, ...spec.localStorage.map(({ name }) => this.storage(name))]
    for (const path of own) await mkdir(path, { recursive: true, mode: 0o700 })
    if (account === null) await chmod(this.root, 0o700)
    else await this.#give(account, [...own, this.files(incarnation)])
  }

  /** The leaves are the account's, 0700; the folders around them the agent's, to be passed through and no more. */
  async #give(account: Account, own: readonly string[]): Promise<void> {
    for (const path of own) await giveTree(account, path)
    await appendFile(this.log, '')
    await giveTree(account, this.log)
    for (const path of new Set([this.root, dirname(this.log), ...own.map(path => dirname(path))]))
      await chmod(path, 0o711)
    await chmod(dirname(this.record), 0o700)
  }

  /** Empties the local storage that is to be clean at every start of a process. */
  async recycle(assigned: AssignedInstance): Promise<void> {
    for (const { name, cleanOnRecycle } of assigned.spec.localStorage) {
      if (cleanOnRecycle) await removeTree(this.storage(name))
      await mkdir(this.storage(name), { recursive: true, mode: 0o700 })
    }
  }

  /** Bytes in each of the local storages. */
  async storageSizes(names: readonly string[]): Promise<Record<string, number>> {
    const sizes: Record<string, number> = {}
    for (const name of names) sizes[name] = await folderSize(this.storage(name))
    return sizes
  }

  /** Removes what earlier incarnations and attempts left. */
  async removeOld(incarnation: number, token: string): Promise<void> {
    const role = join(this.root, 'role')
    for (const name of await readdir(role)) {
      if (name === String(incarnation)) continue
      await removeTree(join(role, name))
    }
    const run = dirname(this.record)
    for (const name of await readdir(run)) {
      if (name.startsWith('exit-') && !name.startsWith(`exit-${token}`)) await removeTree(join(run, name))
    }
  }

  /** Takes everything away at once (by rename into `trash`), then deletes it; the path is free when this settles. */
  async remove(trash: string): Promise<void> {
    await mkdir(trash, { recursive: true })
    const grave = join(trash, randomBytes(8).toString('hex'))
    await rename(this.root, grave).catch(ignoreMissing)
    await rmdir(dirname(this.root)).catch(() => {})
    await removeTree(grave)
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}
