import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { freePorts, projectRoot } from '../../bench/system/packages.ts'
import { readFences, type Fence } from '../support/markdown.ts'
import { missingLine } from '../support/shown-output.ts'
import { tempDir } from '../support/temp.ts'
import { until } from '../support/until.ts'
import { processesIn } from './support/system.ts'

// Runs what README.md and docs/getting-started.md tell a reader to type, in order, in a copy of the project. Blocks `sh` are
// run; a block `text` after one is what it writes to standard output. A comment before a block says what else is meant:
//   test: foreground [as "COMMAND"]   stays until the next such block, or the end
//   test: exit N                      the last command's status
//   test: file PATH                   the block is that file
//   test: skipped; WHY                not run

/** What is shown on pages, and what it is in the copy, so that tests beside this one do not meet it. */
type Ports = readonly (readonly [shown: string, used: string])[]

interface Copy {
  readonly folder: string
  readonly temporary: string
  readonly env: NodeJS.ProcessEnv
  readonly ports: Ports
}

interface Foreground {
  readonly child: ChildProcess
  readonly written: () => string
}

/** The words `npx vipswap` start the program itself there: npm before it would take longer than all else, and is seen to find it below. */
async function copyProject(t: Test): Promise<Copy> {
  const folder = tempDir(t)
  const root = projectRoot()
  const [service, admin] = [await freePorts(2), await freePorts(1)]
  const ports: Ports = [
    ['8080', String(service)],
    ['8081', String(service + 1)],
    ['9090', String(admin)],
  ]
  cpSync(join(root, 'package.json'), join(folder, 'package.json'))
  cpSync(join(root, 'examples'), join(folder, 'examples'), { recursive: true })
  for (const part of ['src', 'proxy', 'agents'])
    cpSync(join(root, 'dist', part), join(folder, 'dist', part), {
      recursive: true,
      filter: source => !source.endsWith('.map'),
    })
  for (const version of readdirSync(join(folder, 'examples', 'guestbook'))) {
    const file = join(folder, 'examples', 'guestbook', version, 'service.yaml')
    if (/^\d/.test(version)) writeFileSync(file, toCopy(readFileSync(file, 'utf8'), ports))
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  const temporary = join(folder, 't')
  mkdirSync(temporary)
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  const shim = `#!/bin/sh\nshift\nexec '${process.execPath}' '${join(folder, 'dist/src/cli/main.js')}' "$@"\n`
  writeFileSync(join(bin, 'npx'), shim, { mode: 0o755 })
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    PATH: `${bin}:${process.env['PATH'] ?? ''}`,
    NO_COLOR: '1',
    TMPDIR: temporary,
    VIPSWAP_ADMIN: `http://127.0.0.1:${admin}`,
  }
  // What the test runner gives every child; npm takes the names of its own variables for settings.
  delete env['NODE_OPTIONS']
  for (const name of Object.keys(env)) if (/^npm_/i.test(name)) delete env[name]
  return { folder, temporary, env, ports }
}

function toCopy(text: string, ports: Ports): string {
  return ports.reduce((text, [shown, used]) => text.replaceAll(new RegExp(`\\b${shown}\\b`, 'g'), used), text)
}

function toPage(text: string, ports: Ports): string {
  return ports.reduce((text, [shown, used]) => text.replaceAll(new RegExp(`\\b${used}\\b`, 'g'), shown), text)
}

/** Starts a script in the copy, as typed at a prompt. */
function start(script: string, { folder, env, ports }: Copy, fresh: boolean) {
  const child = spawn('sh', ['-ec', toCopy(script, ports)], {
    cwd: folder,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: fresh,
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  return { child, stdout: () => toPage(stdout, ports), said: () => toPage(`${stdout}${stderr}`, ports) }
}

/** Ctrl-C: to the whole group, as a terminal does it; then all must be gone. */
async function interrupt(t: Test, { child }: Foreground, { folder, temporary }: Copy): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null) return
  const ended = once(child, 'close')
  process.kill(-child.pid, 'SIGINT')
  await ended
  await until('everything has ended', () => processesIn(folder).length === 0, { timeoutMs: 30_000 })
  const left = readdirSync(temporary).filter(name => name.startsWith('vipswap-'))
  t.same(left, [], 'Ctrl-C leaves nothing behind')
}

async function runPage(t: Test, page: string): Promise<void> {
  const copy = await copyProject(t)
  let foreground: Foreground | null = null
  t.teardown(() => {
    for (const { pid } of processesIn(copy.folder)) process.kill(pid, 'SIGKILL')
  })
  let written = ''
  let commands = 0
  for (const fence of readFences(readFileSync(join(projectRoot(), page), 'utf8'))) {
    const where = `${page}:${fence.line}`
    const file = /^file (\S+)$/.exec(fence.note)?.[1]
    if (file !== undefined) {
      mkdirSync(dirname(join(copy.folder, file)), { recursive: true })
      writeFileSync(join(copy.folder, file), toCopy(fence.text, copy.ports))
    } else if (fence.language === 'text') {
      t.equal(missingLine(fence.text, written), null, `${where}: all that is shown was written, which was\n${written}`)
    } else if (fence.language === 'sh' && fence.note.startsWith('skipped')) {
      t.comment(`${where} is not run (${fence.note}): ${fence.text.trim()}`)
    } else if (fence.language === 'sh' && fence.note.startsWith('foreground')) {
      if (foreground !== null) await interrupt(t, foreground, copy)
      const instead = /^foreground as "([^"]+)"/.exec(fence.note)?.[1]
      if (instead !== undefined) t.comment(`${where} runs ${instead} (${fence.note}) for ${fence.text.trim()}`)
      foreground = await startForeground(instead ?? fence.text, copy)
      written = foreground.written()
      commands += 1
    } else if (fence.language === 'sh') {
      written = await runBlock(t, where, fence, copy)
      commands += 1
    }
  }
  if (foreground !== null) await interrupt(t, foreground, copy)
  t.ok(commands > 3, `${commands} blocks were run`)
}

async function startForeground(script: string, copy: Copy): Promise<Foreground> {
  const { child, stdout, said } = start(script, copy, true)
  await until(
    'it is ready',
    () => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${said()}`)
      return said().includes('Ctrl-C stops') || undefined
    },
    { timeoutMs: 60_000, intervalMs: 50 },
  ).catch((error: unknown) => {
    throw new Error(`${script.trim()}: ${said()}`, { cause: error })
  })
  return { child, written: stdout }
}

async function runBlock(t: Test, where: string, fence: Fence, copy: Copy): Promise<string> {
  const { child, stdout, said } = start(fence.text, copy, false)
  const [code] = (await once(child, 'close')) as [number | null] // the event's documented arguments
  const wanted = Number(/^exit (\d+)$/.exec(fence.note)?.[1] ?? 0)
  t.equal(code, wanted, `${where}: ${fence.text.trim()}\n${said()}`)
  return stdout()
}

t.test('npx finds vipswap in a checkout', async t => {
  const { env, ...copy } = await copyProject(t)
  const { child, stdout, said } = start(
    'npx vipswap --version',
    { ...copy, env: { ...env, PATH: process.env['PATH'] } },
    false,
  )
  const [code] = (await once(child, 'close')) as [number | null] // the event's documented arguments
  t.equal(code, 0, said())
  t.match(stdout(), /^\d+\.\d+\.\d+\n$/)
})

t.test('every command in README.md does what the page says', async t => runPage(t, 'README.md'))

t.test('every command in docs/getting-started.md does what the page says', async t =>
  runPage(t, 'docs/getting-started.md'),
)

t.test('what a page shows and a command did not write is found', async t => {
  const written = 'a  1\nb took 35ms\nc\n\nd by web_IN_0\n'
  t.equal(missingLine('a 1\n...\nc\nd by web_IN_2\n', written), null)
  t.equal(missingLine('b took 1.2 s\nc\n', written), null)
  t.equal(missingLine('a 2\n', written), 'a 2')
  t.equal(missingLine('a 1\nc\n', written), 'a 1', 'nothing is left out unless the page says so')
  t.equal(missingLine('c\n...\na 1\n', written), 'a 1', 'in their order')
})
