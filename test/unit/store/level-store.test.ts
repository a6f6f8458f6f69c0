import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { ClassicLevel } from 'classic-level'
import t from 'tap'
import type { Test } from 'tap'
import { SCHEMA } from '../../../src/store/envelope.ts'
import { openLevelStore } from '../../../src/store/level-store.ts'
import type { Change, Commit, Store } from '../../../src/store/store.ts'
import { tempDir } from '../../support/temp.ts'

const COMMIT_LOOP = fileURLToPath(new URL('commit-loop.js', import.meta.url))

async function contents(store: Store): Promise<Record<string, unknown>> {
  const all: Record<string, unknown> = {}
  for await (const [key, value] of store.range('')) all[key] = value
  return all
}

async function put(store: Store, ...changes: Change[]): Promise<number> {
  return store.transact(store.sequence, changes)
}

/** A closed store with some history: overwrites, deletions and, with `reopen`, tables beside the newest log. */
async function filled(directory: string, commits: number, reopenAt: number[] = []): Promise<Record<string, unknown>> {
  let store = await openLevelStore({ directory, keepCommits: 10 })
  for (let n = 1; n <= commits; n += 1) {
    await put(
      store,
      { key: `service/${n % 7}`, value: { n, text: 'ä€😀'.repeat(n % 9) } },
      { key: `kept/${n}`, value: `since ${n} `.repeat(20) },
      { key: `gone/${n % 3}`, value: n % 2 === 0 ? n : undefined },
    )
    if (reopenAt.includes(n)) {
      await store.close()
      store = await openLevelStore({ directory, keepCommits: 10 })
    }
  }
  const all = await contents(store)
  await store.close()
  return all
}

function copyStore(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true })
  cpSync(from, to, { recursive: true })
  cpSync(`${from}.head`, `${to}.head`)
}

async function refused(t: Test, directory: string, found: RegExp, message = 'refused'): Promise<void> {
  const expected = { code: 'store_damaged', status: 503, message: found }
  // Twice: the first attempt must not mend, by LevelDB's own recovery, what the second would then let pass.
  await t.rejects(openLevelStore({ directory }), expected, message)
  await t.rejects(openLevelStore({ directory }), expected, `${message}, again`)
}

void t.test('values come back as they were written, in this process and the next', async t => {
  const directory = join(tempDir(t), 'store')
  const store = await openLevelStore({ directory })
  t.equal(store.sequence, 0)
  t.match(store.fabricId, /^fabric-/)
  const value = { text: 'ä€😀\u0000\ud800', list: [1, -0.5, null, true], ['__proto__']: { 2: 'b', 1: 'a' } }
  t.equal(await store.transact(0, [{ key: 'service/guestbook', value }]), 1)
  t.equal(await put(store, { key: 'service/chat', value: 1 }, { key: 'serviceable', value: 2 }), 2)
  t.equal(await put(store, { key: 'service/chat', value: undefined }, { key: 'never/was', value: undefined }), 3)
  t.equal(await put(store), 4)
  const { fabricId } = store
  for (const round of ['open', 'reopened']) {
    const now = round === 'open' ? store : await openLevelStore({ directory, initialise: false })
    t.equal(now.sequence, 4, round)
    t.equal(now.fabricId, fabricId)
    t.equal(JSON.stringify(await now.get('service/guestbook')), JSON.stringify(value))
    t.equal(await now.get('service/chat'), undefined)
    t.strictSame(Object.keys(await contents(now)), ['service/guestbook', 'serviceable'])
    const services: string[] = []
    for await (const [key] of now.range('service/')) services.push(key)
    t.strictSame(services, ['service/guestbook'])
    await now.close()
    await now.close()
    await t.rejects(now.transact(4, []), { code: 'not_running' })
    await t.rejects(now.get('service/guestbook'), { code: 'not_running' })
    await t.rejects(contents(now), { code: 'not_running' })
  }
})

void t.test('nobody else may look into it, whatever the folder around it allows and whoever made it', async t => {
  const folder = tempDir(t)
  chmodSync(folder, 0o755)
  const directory = join(folder, 'store')
  const umask = process.umask(0o022)
  t.teardown(() => process.umask(umask))
  await (await openLevelStore({ directory })).close()
  t.equal(statSync(directory).mode & 0o777, 0o700)
  // As earlier versions left it.
  chmodSync(directory, 0o755)
  await (await openLevelStore({ directory })).close()
  t.equal(statSync(directory).mode & 0o777, 0o700)
})

t.test('only a writer that has seen the newest commit may commit, and a refused one changes nothing', async t => {
  const store = await openLevelStore({ directory: join(tempDir(t), 'store') })
  t.teardown(() => store.close())
  const outcomes = await Promise.allSettled(
    ['a', 'b', 'c'].map(async value => store.transact(0, [{ key: 'k', value }])),
  )
  t.strictSame(
    outcomes.map(outcome => outcome.status),
    ['fulfilled', 'rejected', 'rejected'],
  )
  await t.rejects(store.transact(0, []), { code: 'store_conflict', details: { expected: 0, sequence: 1 } })
  await t.rejects(store.transact(7, []), { code: 'store_conflict' })
  t.equal(await store.get('k'), 'a')
  t.equal(store.sequence, 1)
  await t.rejects(store.transact(1, [{ key: '', value: 1 }]), { code: 'internal' })
  await t.rejects(store.transact(1, [{ key: 'lone\ud800', value: 1 }]), { code: 'internal' })
  await t.rejects(store.transact(1, [{ key: 'f', value: () => {} }]), { code: 'internal' })
  t.equal(await store.transact(1, [{ key: 'k', value: 'b' }]), 2)
})

void t.test('what was begun before closing is done, and closing waits for it', async t => {
  const directory = join(tempDir(t), 'store')
  const store = await openLevelStore({ directory })
  const begun = [0, 1, 2].map(async n => store.transact(n, [{ key: 'n', value: n }]))
  await store.close()
  t.strictSame(await Promise.all(begun), [1, 2, 3])
  const again = await openLevelStore({ directory })
  t.equal(await again.get('n'), 2)
  await again.close()
})

void t.test('watchers hear every commit once, in order, before its writer goes on', async t => {
  const store = await openLevelStore({ directory: join(tempDir(t), 'store') })
  t.teardown(() => store.close())
  const heard: Commit[] = []
  const stop = store.watch(commit => heard.push(commit))
  const value = { n: 1 }
  const writes = [1, 2, 3].map(async n => store.transact(n - 1, [{ key: `k${n}`, value }]))
  value.n = 99
  await writes[0]
  t.ok(heard.length >= 1)
  await Promise.all(writes)
  t.strictSame(
    heard.map(commit => [commit.sequence, commit.changes[0]?.key]),
    [
      [1, 'k1'],
      [2, 'k2'],
      [3, 'k3'],
    ],
  )
  t.strictSame(await store.get('k1'), { n: 1 }, 'a value changed after the call is stored as it was')
  stop()
  await put(store)
  t.equal(heard.length, 3)
})

void t.test('commits acknowledged before a kill -9 are all there, the next one whole or absent', async t => {
  const directory = join(tempDir(t), 'store')
  let acknowledged = 0
  for (let round = 0; round < 6; round += 1) {
    const child = spawn(process.execPath, [COMMIT_LOOP, directory], { env: {}, stdio: ['ignore', 'pipe', 'inherit'] })
    const enough = acknowledged + 3 + round * 7
    for await (const line of createInterface({ input: child.stdout })) {
      if (line !== 'open') acknowledged = Number(line)
      if (acknowledged >= enough) child.kill('SIGKILL')
    }
    await closed(child)
    const store = await openLevelStore({ directory, initialise: false, keepCommits: 20 })
    const { sequence } = store
    t.ok(sequence === acknowledged || sequence === acknowledged + 1, `round ${round}: ${sequence}, ${acknowledged}`)
    t.equal(await store.get('left'), sequence)
    t.equal(await store.get('right'), sequence)
    t.match(await store.get(`item/${String(sequence % 50).padStart(4, '0')}`), { n: sequence })
    await store.close()
    acknowledged = sequence
  }
})

void t.test('a crash between the database and the head file is made good, and only that', async t => {
  const root = tempDir(t)
  const directory = join(root, 'store')
  await filled(directory, 10)
  const heads: string[] = []
  for (let n = 0; n < 3; n += 1) {
    heads.push(readFileSync(`${directory}.head`, 'utf8'))
    const store = await openLevelStore({ directory })
    await put(store, { key: 'n', value: n })
    await store.close()
  }
  const newest = readFileSync(`${directory}.head`, 'utf8')
  writeFileSync(`${directory}.head`, heads[2] ?? '')
  const again = await openLevelStore({ directory })
  t.equal(again.sequence, 13)
  t.equal(readFileSync(`${directory}.head`, 'utf8'), newest)
  await again.close()
  writeFileSync(`${directory}.head`, heads[1] ?? '')
  await refused(t, directory, /head file is at commit 11, the database at 13/)
})

void t.test('an initialisation that was cut off is done again; a finished one never is', async t => {
  const root = tempDir(t)
  const marker = '{"initialising":true}'
  const unmade = join(root, 'unmade')
  writeFileSync(`${unmade}.head`, marker)
  await t.rejects(openLevelStore({ directory: unmade, initialise: false }), { code: 'store_damaged' })
  const store = await openLevelStore({ directory: unmade })
  await store.close()
  writeFileSync(`${unmade}.head`, marker)
  const again = await openLevelStore({ directory: unmade })
  t.equal(again.fabricId, store.fabricId)
  await put(again, { key: 'k', value: 1 })
  await again.close()
  writeFileSync(`${unmade}.head`, marker)
  await refused(t, unmade, /never finished, but it holds commits/)

  const both = join(root, 'both')
  const results = await Promise.allSettled([1, 2, 3].map(async () => openLevelStore({ directory: both })))
  const open = results.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
  t.equal(open.length, 1, 'of several first openers one wins')
  for (const result of results) {
    if (result.status === 'rejected') t.match(result.reason, { code: 'store_locked' })
  }
  await open[0]?.close()
  await (await openLevelStore({ directory: both })).close()
  await t.rejects(openLevelStore({ directory: join(root, 'no'), initialise: false }), {
    code: 'store_damaged',
    message: /the folder is missing/,
  })
  t.notOk(existsSync(join(root, 'no')))
  t.notOk(existsSync(join(root, 'no.head')))
})

void t.test('a flipped bit anywhere in the data is refused, or changed nothing', async t => {
  const root = tempDir(t)
  const whole = join(root, 'whole')
  const all = await filled(whole, 60, [20, 40])
  const files = readdirSync(whole).filter(
    name => /\.(log|ldb)$/.test(name) && readFileSync(join(whole, name)).length > 0,
  )
  t.ok(files.some(name => name.endsWith('.log')) && files.some(name => name.endsWith('.ldb')), files.join(' '))
  const directory = join(root, 'copy')
  let noticedInTables = 0
  for (const name of files) {
    const bytes = readFileSync(join(whole, name))
    const tried = 24
    let noticed = 0
    for (let i = 0; i < tried; i += 1) {
      copyStore(whole, directory)
      const flipped = Buffer.from(bytes)
      const at = Math.floor(((i + 0.5) * bytes.length) / tried)
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (i % 8))
      writeFileSync(join(directory, name), flipped)
      try {
        const store = await openLevelStore({ directory })
        t.strictSame(await contents(store), all, `${name} at ${at}: opened with everything in it`)
        await store.close()
      } catch (error) {
        // The flipped bit may be one of the schema's number.
        const message = /not as it was written.*(Restore|Start that newer)/
        t.match(error, { code: 'store_damaged', message }, `${name} at ${at}`)
        await t.rejects(openLevelStore({ directory }), { code: 'store_damaged' }, 'and refused again')
        noticed += 1
      }
    }
    t.comment(`${name}: ${noticed} of ${tried} refused, the others were in what later commits had replaced`)
    if (name.endsWith('.log')) t.equal(noticed, tried, 'all of the newest log is live')
    else noticedInTables += noticed
  }
  // One of them may be left from before a compaction.
  t.ok(noticedInTables > 0, 'tables: noticed')
})

void t.test('whatever is lost is named and refused, never opened as an empty world', async t => {
  const root = tempDir(t)
  const whole = join(root, 'whole')
  await filled(whole, 30, [15])
  const names = readdirSync(whole)
  const log =
    names
      .filter(name => name.endsWith('.log'))
      .toSorted()
      .at(-1) ?? ''
  const directory = join(root, 'copy')
  const head = `${directory}.head`
  const cases: [what: string, damage: () => void, found: RegExp][] = [
    ['the newest log', () => rmSync(join(directory, log)), /lost|missing|head/],
    ['an emptied log', () => writeFileSync(join(directory, log), ''), /acknowledged commits were lost/],
    ['half a log', () => halve(join(directory, log)), /commit|lost|head/],
    ...names
      .filter(name => /^(CURRENT|MANIFEST-.*|.*\.ldb)$/.test(name))
      .map((name): [string, () => void, RegExp] => [
        name,
        () => rmSync(join(directory, name)),
        /does not open|missing/,
      ]),
    ['the folder', () => rmSync(directory, { recursive: true }), /folder is missing, its head file is there/],
    ['what is in the folder', () => emptyFolder(directory), /does not open/],
    ['the head file', () => rmSync(head), /head file is missing/],
    ['half the head file', () => halve(head), /head file is not readable/],
    ['an emptied head file', () => writeFileSync(head, ''), /head file is not readable/],
    [
      'a digit of the head file',
      () => replaceIn(head, /"sequence":30/, '"sequence":31'),
      /does not match its checksum/,
    ],
    [
      'a newer head file',
      () => replaceIn(head, /"schema":1/, `"schema":${SCHEMA + 1}`),
      /newer vipswap.*Start that newer/,
    ],
  ]
  for (const [what, damage, found] of cases) {
    copyStore(whole, directory)
    damage()
    await refused(t, directory, found, what)
  }
})

void t.test('every key in the database counts: none may go, come back, change or appear', async t => {
  const root = tempDir(t)
  const whole = join(root, 'whole')
  await filled(whole, 30)
  const directory = join(root, 'copy')
  const commit = (n: number): string => `commit/${String(n).padStart(16, '0')}`
  const cases: [what: string, change: (db: ClassicLevel) => Promise<void>, found: RegExp][] = [
    ['a live record', async db => db.del('record/service/3'), /some were lost, altered or came back/],
    [
      'a stale record',
      async db => swapValues(db, 'record/service/3', 'record/service/4'),
      /does not match its checksum/,
    ],
    ['a changed value', async db => edit(db, 'record/service/3', /"n":24/, '"n":25'), /service\/3 does not match/],
    ['a space in a record', async db => edit(db, 'record/service/3', /"n":24/, '"n": 24'), /service\/3 does not match/],
    ['a missing commit', async db => db.del(commit(25)), /commit 25 is missing/],
    ['the oldest commit', async db => db.del(commit(20)), /commit 20 is missing/],
    ['the newest commit', async db => db.del(commit(30)), /commits end at 29, the head is at 30/],
    ['an altered commit', async db => edit(db, commit(25), /"count":\d+/, '"count":1'), /commit 25 does not match/],
    ['no head', async db => db.del('head'), /lost its head record/],
    ['an unknown key', async db => db.put('x', '1'), /unknown key "x"/],
    ['a newer record', async db => edit(db, 'record/service/3', /"schema":1/, '"schema":2'), /newer vipswap/],
  ]
  for (const [what, change, found] of cases) {
    copyStore(whole, directory)
    const db = new ClassicLevel(directory)
    await change(db)
    await db.close()
    await refused(t, directory, found, what)
  }
})

void t.test('an older copy of the folder, or of another fabric, is refused beside a newer head', async t => {
  const root = tempDir(t)
  const directory = join(root, 'store')
  await filled(directory, 20)
  cpSync(directory, join(root, 'older'), { recursive: true })
  const store = await openLevelStore({ directory })
  await put(store, { key: 'k', value: 1 })
  await store.close()
  rmSync(directory, { recursive: true })
  cpSync(join(root, 'older'), directory, { recursive: true })
  await refused(t, directory, /head file knows commit 21, the database ends at 20: acknowledged commits were lost/)
  await filled(join(root, 'other'), 21)
  rmSync(directory, { recursive: true })
  cpSync(join(root, 'other'), directory, { recursive: true })
  await refused(t, directory, /another fabric/)
})

void t.test('a second opener is refused while the first lives, in this process and in another', async t => {
  const directory = join(tempDir(t), 'store')
  const store = await openLevelStore({ directory })
  await t.rejects(openLevelStore({ directory }), { code: 'store_locked', message: /in use by another process/ })
  symlinkSync(directory, `${directory}-link`)
  await t.rejects(openLevelStore({ directory: `${directory}-link` }), { code: 'store_locked' })
  const child = spawn(process.execPath, [COMMIT_LOOP, directory], { env: {}, stdio: ['ignore', 'pipe', 'pipe'] })
  let errors = ''
  child.stderr.on('data', chunk => (errors += String(chunk)))
  await closed(child)
  t.match(errors, /store_locked/)
  await put(store, { key: 'k', value: 1 })
  await store.close()
  const next = await openLevelStore({ directory })
  t.equal(await next.get('k'), 1)
  await next.close()
})

void t.test('after a failed write nothing is acknowledged any more, and nothing acknowledged is lost', async t => {
  const root = tempDir(t)
  const directory = join(root, 'store')
  const first = await openLevelStore({ directory })
  await put(first, { key: 'k', value: 1 })
  await first.close()
  const store = await openLevelStore({ directory })
  const headText = readFileSync(`${directory}.head`)
  rmSync(`${directory}.head`)
  mkdirSync(join(`${directory}.head`, 'in the way'), { recursive: true })
  const heard: Commit[] = []
  store.watch(commit => heard.push(commit))
  const failed = { code: 'store_damaged', message: /a write to the store in .* failed .*restart the controller/ }
  await put(store, { key: 'k', value: 2 })
  await t.rejects(put(store, { key: 'k', value: 3 }), failed, 'the head file of the one before could not be written')
  rmSync(`${directory}.head`, { recursive: true })
  writeFileSync(`${directory}.head`, headText)
  await t.rejects(put(store, { key: 'k', value: 4 }), failed, 'though the fault is gone')
  t.equal(store.sequence, 2)
  t.equal(heard.length, 1)
  await store.close()
  const again = await openLevelStore({ directory })
  t.equal(await again.get('k'), 2, 'what was acknowledged is there')
  await again.close()

  // A real write error: the process may not make files longer than 64 blocks.
  const small = join(root, 'small')
  const child = spawn('/bin/sh', ['-c', 'ulimit -f 64 && exec "$0" "$@"', process.execPath, COMMIT_LOOP, small], {
    env: {},
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines: string[] = []
  for await (const line of createInterface({ input: child.stdout })) lines.push(line)
  t.equal(await closed(child), 3)
  t.match(lines.at(-2), /^failed VipswapError: a write to the store/)
  t.match(lines.at(-1), /^again VipswapError: a write to the store/)
  const acknowledged = Number(lines.at(-3))
  const reopened = await openLevelStore({ directory: small, keepCommits: 20 })
  t.ok(reopened.sequence === acknowledged || reopened.sequence === acknowledged + 1)
  t.equal(await reopened.get('left'), reopened.sequence)
  await reopened.close()
})

void t.test('old commits are pruned to the number asked for, and the chain still verifies', async t => {
  const directory = join(tempDir(t), 'store')
  await filled(directory, 30)
  const commits = async (): Promise<number> => {
    const db = new ClassicLevel(directory)
    const keys = await db.keys({ gte: 'commit/', lt: 'commit0' }).all()
    await db.close()
    return keys.length
  }
  t.equal(await commits(), 11)
  const store = await openLevelStore({ directory, keepCommits: 3 })
  for (let n = 0; n < 12; n += 1) await put(store, { key: 'n', value: n })
  await store.close()
  t.equal(await commits(), 4)
  const wide = await openLevelStore({ directory })
  for (let n = 0; n < 12; n += 1) await put(wide, { key: 'n', value: n })
  await wide.close()
  t.equal(await commits(), 16)
})

async function closed(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return child.exitCode
}

function halve(path: string): void {
  const bytes = readFileSync(path)
  writeFileSync(path, bytes.subarray(0, bytes.length / 2))
}

function replaceIn(path: string, what: RegExp, by: string): void {
  writeFileSync(path, readFileSync(path, 'utf8').replace(what, by))
}

function emptyFolder(path: string): void {
  rmSync(path, { recursive: true })
  mkdirSync(path)
}

async function edit(db: ClassicLevel, key: string, what: RegExp, by: string): Promise<void> {
  const text = (await db.get(key)) ?? ''
  if (!what.test(text)) throw new Error(`${key} holds ${text}`)
  await db.put(key, text.replace(what, by))
}

async function swapValues(db: ClassicLevel, one: string, other: string): Promise<void> {
  const [first, second] = await db.getMany([one, other])
  await db.put(one, second ?? '')
  await db.put(other, first ?? '')
}
