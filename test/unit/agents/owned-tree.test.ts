import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { giveTree, removeTree } from '../../../agents/owned-tree.ts'
import { tempDir } from '../../support/temp.ts'

const IS_LINUX = process.platform === 'linux'
const FILES = 200

/** A role's folder with many files, and a folder of others with as many of the same names. */
function places(t: Test): { tree: string; folder: string; link: string; others: string } {
  const root = tempDir(t)
  const [tree, others] = [join(root, 'tree'), join(root, 'others')]
  const folder = join(tree, 'sub', 'd')
  mkdirSync(folder, { recursive: true })
  mkdirSync(others)
  for (let n = 0; n < FILES; n += 1) {
    writeFileSync(join(folder, `f${n}`), '')
    writeFileSync(join(others, `f${n}`), 'theirs')
  }
  const link = join(root, 'link')
  symlinkSync(others, link)
  return { tree, folder, link, others }
}

/** Exchanges a folder and a link for each other over and over until `work` is done, as a process of the role's would. */
async function whileExchanged(folder: string, link: string, work: () => Promise<void>): Promise<void> {
  const script = `
    const { renameSync } = require('node:fs')
    const [folder, link] = process.argv.slice(1)
    process.stdout.write('go')
    for (;;) {
      try { renameSync(folder, folder + '.aside'); renameSync(link, folder) } catch {}
      for (const end = performance.now() + 0.2; performance.now() < end;);
      try { renameSync(folder, link); renameSync(folder + '.aside', folder) } catch {}
      for (const end = performance.now() + 0.2; performance.now() < end;);
    }`
  const attacker = spawn(process.execPath, ['-e', script, folder, link], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(attacker.stdout, 'data')
  try {
    await work()
  } finally {
    attacker.kill('SIGKILL')
    await once(attacker, 'exit')
  }
}

t.test('nothing outside goes while a folder becomes a link under the hands of who removes it', async t => {
  for (let round = 0; round < 2; round += 1) {
    const { tree, folder, link, others } = places(t)
    // It may be told that it is being filled again; that is all that may happen.
    await whileExchanged(folder, link, async () => removeTree(tree).catch(() => {}))
    t.equal(readdirSync(others).length, FILES)
  }
})

t.test('a link is removed, not what it leads to, and names may be any bytes', async t => {
  const { tree, folder, others } = places(t)
  symlinkSync(others, join(folder, 'way'))
  writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff, 0xfe])]), '')
  await removeTree(tree)
  t.notOk(existsSync(tree))
  t.equal(readFileSync(join(others, 'f1'), 'utf8'), 'theirs')
  await removeTree(tree)
})

t.test('what a role nested deeper than any path is long goes, too', { skip: !IS_LINUX }, async t => {
  const tree = join(tempDir(t), 'tree')
  mkdirSync(tree)
  const before = process.cwd()
  process.chdir(tree)
  for (let level = 0; level < 70; level += 1) {
    mkdirSync('n'.repeat(100))
    process.chdir('n'.repeat(100))
  }
  writeFileSync('file', '')
  process.chdir(before)
  await removeTree(tree)
  t.notOk(existsSync(tree))
})

t.test('only what is in a folder is given to an account', { skip: process.getuid?.() !== 0 || !IS_LINUX }, async t => {
  const account = { name: 'somebody', uid: 54_321, gid: 54_321 }
  for (let round = 0; round < 2; round += 1) {
    const { tree, folder, link, others } = places(t)
    chmodSync(tree, 0o755)
    await whileExchanged(folder, link, async () => giveTree(account, tree).catch(() => {}))
    t.ok(readdirSync(others).every(name => statSync(join(others, name)).uid === 0))
    t.equal(statSync(others).uid, 0)
  }
  const { tree, folder, others, link } = places(t)
  renameSync(link, join(folder, 'way'))
  await giveTree(account, tree)
  t.equal(statSync(tree).mode & 0o777, 0o700)
  t.ok(['', 'sub', 'sub/d', 'sub/d/f7', 'sub/d/way'].every(name => lstatSync(join(tree, name)).uid === account.uid))
  t.equal(statSync(others).uid, 0)
  // What is the account's already may be changing just now: it is left alone.
  writeFileSync(join(folder, 'mine'), '')
  await giveTree(account, tree)
  t.equal(statSync(join(folder, 'mine')).uid, 0)
})
