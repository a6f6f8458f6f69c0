import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import t, { type Test } from 'tap'
import { ProcessEye } from '../../../agents/process-eye.ts'
import { readProcess } from '../../../src/core/process-identity.ts'
import { until } from '../../support/until.ts'

function start(t: Test, script: string) {
  const child = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore'] })
  t.teardown(() => child.kill('SIGKILL'))
  return child
}

t.test('a process is seen while it runs, and no longer than that', async t => {
  const child = start(t, 'exec sleep 100')
  const pid = child.pid ?? 0
  const startTime = readProcess(pid)?.startTime ?? ''
  const eye = new ProcessEye(pid, startTime)
  t.equal(eye.isAlive(), true)
  t.equal(new ProcessEye(pid, `${startTime}1`).isAlive(), false, 'another process of that pid is none')
  child.kill('SIGKILL')
  await once(child, 'exit')
  t.equal(eye.isAlive(), false)
  t.equal(new ProcessEye(pid, startTime).isAlive(), false, 'nor one that was never there')
})

t.test('a zombie does not run', async t => {
  // Whose parent became another program, which never asks for it.
  const child = start(t, 'sleep 0.2 & echo $!; exec sleep 100')
  const [said] = (await once(child.stdout, 'data')) as [Buffer]
  const pid = Number(said.toString())
  const eye = new ProcessEye(pid, readProcess(pid)?.startTime ?? '')
  t.equal(eye.isAlive(), true)
  await until('it is a zombie', () => readProcess(pid)?.alive === false)
  t.equal(eye.isAlive(), false)
})

t.test('a closed eye keeps nothing open, and looks all the same', { skip: process.platform !== 'linux' }, async t => {
  const open = (): number => readdirSync('/proc/self/fd').length
  const before = open()
  const eyes = Array.from({ length: 10 }, () => new ProcessEye(process.pid, readProcess(process.pid)?.startTime ?? ''))
  t.equal(open(), before + 10)
  for (const eye of eyes) eye.close()
  for (const eye of eyes) eye.close()
  t.equal(open(), before)
  t.ok(eyes.every(eye => eye.isAlive()))
})
