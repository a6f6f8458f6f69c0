import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { openStore, type OpenedStore } from '../../../src/store/open-store.ts'
import type { Store } from '../../../src/store/store.ts'
import { readCommitLog } from '../../../src/store/commit-log.ts'
import { tempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'

const COMMIT_LOOP = fileURLToPath(new URL('commit-loop.js', import.meta.url))

async function contents(store: Store): Promise<Record<string, unknown>> {
  const all: Record<string, unknown> = {}
  for await (const [key, value] of store.range('')) all[key] = value
  return all
}

/** What `filled` leaves after commit `n`. */
function expected(n: number): Record<string, unknown> {
  const all: Record<string, unknown> = {}
  for (let at = 1; at <= n; at += 1) {
    all[`item/${at % 4}`] = { at, text: 'ä€\u2028😀'.repeat(at % 5) }
    if (at % 2 === 1) delete all['odd']
    else all['odd'] = at
  }
  return all
}

/** Waits for what an acknowledged commit does not wait for: its copies, and the snapshot of an earlier one. */
async function onDisk(directory: string, commits: number, snapshot: number): Promise<void> {
  await until('all is on the disk', () => {
    const [log, taken] = [files(directory, '.commits').at(-1), files(directory, '.snapshot').at(-1)]
    const head = JSON.parse(readFileSync(`${directory}.head`, 'utf8')) as { sequence: number }
    return (
      head.sequence === commits &&
      readCommitLog(log ?? '').seen === commits &&
      basename(taken ?? '').startsWith(String(snapshot).padStart(16, '0'))
    )
  })
}

/** A store of so many commits, with a snapshot after every five; left as `kill -9` leaves it, or closed. */
async function filled(directory: string, commits: number, { close = false } = {}): Promise<void> {
  const { store } = await openStore({ directory, everyCommits: 5 })
  for (let at = 1; at <= commits; at += 1) {
    await store.transact(store.sequence, [
      { key: `item/${at % 4}`, value: { at, text: 'ä€\u2028😀'.repeat(at % 5) } },
      { key: 'odd', value: at % 2 === 1 ? undefined : at },
    ])
  }
  if (!close) {
    // As it lies there once the last commit is on the disk everywhere, and before a clean stop adds a snapshot.
    await onDisk(directory, commits, commits - (commits % 5))
    const copy = `${directory}-copy`
    for (const end of ['', '.head', '.snapshots'])
      cpSync(`${directory}${end}`, `${copy}${end}`, { recursive: true, force: true })
  }
  await store.close()
}

async function inOrder(opened: OpenedStore, at: number): Promise<void> {
  t.equal(opened.store.sequence, at)
  await opened.store.close()
}

const files = (directory: string, kind: string): string[] =>
  readdirSync(`${directory}.snapshots`)
    .filter(name => name.endsWith(kind))
    .toSorted()
    .map(name => join(`${directory}.snapshots`, name))

const harm: Record<string, (directory: string) => void> = {
  'the folder is gone': directory => rmSync(directory, { recursive: true }),
  'a file of it is gone': directory => rmSync(join(directory, 'CURRENT')),
  'its log is cut off': directory => {
    const log = readdirSync(directory).find(name => name.endsWith('.log')) ?? ''
    truncateSync(join(directory, log), 100)
  },
  'the head file is gone': directory => rmSync(`${directory}.head`),
  'the head file is empty': directory => truncateSync(`${directory}.head`),
  'folder and head file are gone': directory => {
    rmSync(directory, { recursive: true })
    rmSync(`${directory}.head`)
  },
}

for (const [what, damage] of Object.entries(harm)) {
  void t.test(
    `${what}: put back whole from a snapshot and the commits since, the damaged pieces set aside`,
    async t => {
      const directory = join(tempDir(t), 'store')
      await filled(directory, 13, { close: true })
      const { store, recovery } = await openStore({ directory })
      t.equal(recovery, null)
      const { fabricId } = store
      await store.transact(13, [{ key: 'last', value: true }])
      await store.transact(14, [{ key: 'last', value: true }])
      await onDisk(directory, 15, 13)
      // The newest snapshot is two commits old now, and closing would make another.
      const kept = `${directory}-kept`
      cpSync(`${directory}.snapshots`, kept, { recursive: true })
      await store.close()
      rmSync(`${directory}.snapshots`, { recursive: true })
      renameSync(kept, `${directory}.snapshots`)
      damage(directory)
      const headWasThere = existsSync(`${directory}.head`) && readFileSync(`${directory}.head`, 'utf8') !== ''

      const again = await openStore({ directory })
      t.equal(again.store.sequence, 15)
      t.equal(again.store.fabricId, fabricId)
      t.strictSame(await contents(again.store), { ...expected(13), last: true })
      t.match(again.recovery, {
        sequence: 15,
        lost: headWasThere ? null : { from: 16, to: null },
        snapshot: { sequence: 13 },
      })
      if (what === 'its log is cut off') t.ok(existsSync(join(again.recovery?.aside ?? '', 'store')), 'set aside')
      await again.store.transact(15, [{ key: 'after', value: 1 }])
      await again.store.close()
      const third = await openStore({ directory })
      t.same(third.recovery, again.recovery, 'told until somebody has noted it')
      third.noted()
      await third.store.close()
      const fourth = await openStore({ directory })
      t.equal(fourth.recovery, null)
      t.equal(await fourth.store.get('after'), 1)
      await fourth.store.close()
    },
  )
}

void t.test('what no file has any more is reported as lost, from which commit to which', async t => {
  const directory = join(tempDir(t), 'store')
  await filled(directory, 13)
  const copy = `${directory}-copy`
  // There are snapshots of 0, 5 and 10; the commits since the newest go.
  const last = files(copy, '.commits').at(-1) ?? ''
  rmSync(last)
  rmSync(join(copy, 'CURRENT'))
  const { store, recovery } = await openStore({ directory: copy })
  t.match(recovery, { sequence: 10, lost: { from: 11, to: 13 }, snapshot: { sequence: 10 } })
  t.strictSame(await contents(store), expected(10))
  await store.close()
  await inOrder(await openStore({ directory: copy }), 10)
})

void t.test('an older snapshot and all commits since do as well as the newest', async t => {
  const directory = join(tempDir(t), 'store')
  await filled(directory, 13)
  const copy = `${directory}-copy`
  const newest = files(copy, '.snapshot').at(-1) ?? ''
  t.equal(basename(newest), '0000000000000010.snapshot')
  writeFileSync(newest, '')
  rmSync(copy, { recursive: true })
  const { store, recovery } = await openStore({ directory: copy })
  t.match(recovery, { sequence: 13, lost: null, snapshot: { sequence: 5 } })
  t.strictSame(await contents(store), expected(13))
  await store.close()
})

void t.test('a commit cut off in the middle ends what can be done again', async t => {
  const directory = join(tempDir(t), 'store')
  await filled(directory, 13)
  const copy = `${directory}-copy`
  const log = files(copy, '.commits').at(-1) ?? ''
  const text = readFileSync(log, 'utf8')
  const lines = text.split('\n')
  writeFileSync(log, [lines[0], lines[1]?.slice(0, -3), ...lines.slice(2)].join('\n'))
  rmSync(copy, { recursive: true })
  const { store, recovery } = await openStore({ directory: copy })
  t.match(recovery, { sequence: 11, lost: { from: 12, to: 13 } })
  t.strictSame(await contents(store), expected(11))
  t.ok(
    existsSync(join(recovery?.aside ?? '', 'store-copy.snapshots', basename(log))),
    'what is beyond is set aside too',
  )
  await store.close()
})

void t.test('without a good snapshot it is refused as it is, again and again, and nothing is touched', async t => {
  const directory = join(tempDir(t), 'store')
  await filled(directory, 3)
  const copy = `${directory}-copy`
  rmSync(copy, { recursive: true })
  for (const file of files(copy, '.snapshot')) truncateSync(file, 40)
  const before = readdirSync(join(copy, '..')).toSorted()
  for (const attempt of [1, 2]) {
    await t.rejects(
      openStore({ directory: copy }),
      { code: 'store_damaged', message: /No snapshot is good/ },
      String(attempt),
    )
  }
  t.strictSame(readdirSync(join(copy, '..')).toSorted(), before)
})

void t.test('a snapshot of a later version is not passed over for an older one', async t => {
  const directory = join(tempDir(t), 'store')
  await filled(directory, 7)
  const copy = `${directory}-copy`
  const newest = files(copy, '.snapshot').at(-1) ?? ''
  const [, ...rest] = readFileSync(newest, 'utf8').split('\n')
  const body = [`{"schema":2,"fabricId":"f","sequence":5,"takenAt":1,"more":[]}`, ...rest.slice(0, -2)]
    .map(line => `${line}\n`)
    .join('')
  const digest = createHash('sha256').update(body).digest('hex')
  writeFileSync(newest, `${body}{"entries":${rest.length - 2},"sha256":"${digest}"}\n`)
  rmSync(copy, { recursive: true })
  await t.rejects(openStore({ directory: copy }), { code: 'store_damaged', message: /written by a newer vipswap/ })
  t.notOk(existsSync(copy))
})

const NOBODY = 65_534

void t.test('what cannot be read for want of permission is not taken for damaged', async t => {
  const parent = tempDir(t)
  const directory = join(parent, 'store')
  await filled(directory, 7, { close: true })
  const isRoot = process.getuid?.() === 0
  // Root reads all: nobody, whose all this is then, does not.
  if (isRoot)
    for (const name of ['', ...readdirSync(parent, { recursive: true, encoding: 'utf8' })])
      chownSync(join(parent, name), NOBODY, NOBODY)
  chmodSync(directory, 0o000)
  if (isRoot) process.seteuid?.(NOBODY)
  try {
    await t.rejects(openStore({ directory }), { code: 'store_damaged', details: { recoverable: false } })
  } finally {
    if (isRoot) process.seteuid?.(0)
    chmodSync(directory, 0o700)
  }
})

void t.test('a store put back to an earlier time together with its head file is noticed', async t => {
  const directory = join(tempDir(t), 'store')
  await filled(directory, 4, { close: true })
  for (const end of ['', '.head']) cpSync(`${directory}${end}`, `${directory}-old${end}`, { recursive: true })
  const { store } = await openStore({ directory })
  await store.transact(4, [{ key: 'new', value: 1 }])
  await store.close()
  for (const end of ['', '.head']) {
    rmSync(`${directory}${end}`, { recursive: true })
    renameSync(`${directory}-old${end}`, `${directory}${end}`)
  }
  const again = await openStore({ directory })
  t.match(again.recovery, { found: /ends at commit 4, and its snapshots reach commit 5/, lost: null })
  t.equal(await again.store.get('new'), 1)
  await again.store.close()
})

void t.test('a recovery that is cut off after any of its steps is done again, and the loss stays known', async t => {
  const directory = join(tempDir(t), 'store')
  await filled(directory, 13)
  const copy = `${directory}-copy`
  rmSync(files(copy, '.commits').at(-1) ?? '')
  rmSync(join(copy, 'CURRENT'))
  const ends = ['', '.head', '.snapshots', '.recovered']
  const take = (from: string, to: string): void => {
    for (const end of ends) {
      rmSync(`${to}${end}`, { recursive: true, force: true })
      if (existsSync(`${from}${end}`)) cpSync(`${from}${end}`, `${to}${end}`, { recursive: true })
    }
  }
  const whole = `${directory}-whole`
  take(copy, whole)
  const first = await openStore({ directory: copy })
  const { recovery } = first
  await first.store.close()
  const note = readFileSync(`${copy}.recovered`)
  const steps: Record<string, (at: string) => void> = {
    'the note': () => undefined,
    'the head file': at => rmSync(`${at}.head`),
    'the folder': at => {
      rmSync(`${at}.head`)
      rmSync(at, { recursive: true })
    },
  }
  for (const [what, undo] of Object.entries(steps)) {
    const cut = `${directory}-cut`
    take(whole, cut)
    writeFileSync(`${cut}.recovered`, note)
    undo(cut)
    const again = await openStore({ directory: cut })
    t.match(again.recovery, { sequence: 10, lost: recovery?.lost ?? {} }, `cut off after ${what}`)
    t.strictSame(await contents(again.store), expected(10))
    await again.store.close()
  }
})

void t.test('a process killed at any moment loses no acknowledged commit, though its database is gone', async t => {
  const directory = join(tempDir(t), 'store')
  for (const commits of [3, 40, 90]) {
    const child = spawn(process.execPath, [COMMIT_LOOP, directory, 'backup'], { stdio: ['ignore', 'pipe', 'inherit'] })
    let acknowledged = 0
    let count = 0
    for await (const line of createInterface({ input: child.stdout })) {
      if (line === 'open') continue
      acknowledged = Number(line)
      count += 1
      if (count === commits) child.kill('SIGKILL')
    }
    if (child.signalCode === null) await once(child, 'exit')
    rmSync(directory, { recursive: true })
    const { store, recovery, noted } = await openStore({ directory })
    // The last one may have been on its way: it is acknowledged within the millisecond before its copies are written.
    t.ok(store.sequence >= acknowledged - 1, `${store.sequence} of ${acknowledged}`)
    // Its head file may have been quicker than its copy; then it is reported.
    if (recovery?.lost != null) t.same(recovery.lost, { from: store.sequence + 1, to: store.sequence + 1 })
    t.equal(await store.get('left'), await store.get('right'), 'whole commits')
    t.equal(await store.get('left'), store.sequence)
    noted()
    await store.close()
  }
})

void t.test('three snapshots are kept, with the commits since the oldest', async t => {
  const directory = join(tempDir(t), 'store')
  await filled(directory, 37, { close: true })
  const snapshots = files(directory, '.snapshot')
  t.equal(snapshots.length, 3)
  t.equal(basename(snapshots.at(-1) ?? ''), '0000000000000037.snapshot', 'the last is taken at a clean stop')
  const oldest = basename(snapshots[0] ?? '').slice(0, 16)
  t.ok(files(directory, '.commits').every(path => basename(path).slice(0, 16) >= oldest))
  for (const file of snapshots) t.equal(readFileSync(file).length > 0, true)
})
