import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { until } from '../../../support/until.ts'
import { pidOf } from '../../support/system.ts'
import type { Fault } from '../fault.ts'
import { lossWords } from '../support/losses.ts'
import { SERVICE } from '../support/package.ts'
import { more, type Subject } from '../support/subject.ts'
import type { Trial } from '../support/trial.ts'

const SMALL = { instances: 2, domains: 2 }
/** What a journal is made durable by. */
const CALLS = { flush: 'fsync,fdatasync', rename: 'rename' } as const
const NTH = [1, 3]
const LONG_NTH = [1, 2, 3, 4, 5, 6, 8, 10, 13, 17, 22, 28]

export const killedAtCalls: Fault = {
  id: 'F7.calls',
  name: 'the controller is killed at its flushes and renames',
  injected:
    'SIGKILL at the n-th flush, or the n-th rename, of a thread of the controller (strace), each in another upgrade, under load',
  expected:
    'each upgrade is ended by the next controller; what was acknowledged is known; no journal is found damaged; nothing is lost',
  needs: ['strace'],
  async run(trial) {
    const subject = await trial.subject()
    await subject.deployed({ version: '1.0.0', ...SMALL })
    const load = await subject.load()
    let [kills, upgrades] = [0, 0]
    for (const [name, calls] of Object.entries(CALLS)) {
      for (const nth of trial.long ? LONG_NTH : NTH) {
        const what = `at ${name} ${nth}`
        const before = pidOf(subject.system, 'controller')
        const digest = await subject.upload({ version: `2.${upgrades}.0`, ...SMALL })
        const end = await killAt(trial, before, calls, nth)
        trial.injected(`SIGKILL ${what} of the controller`)
        const { id, outcome } = await subject.operate('upgrade', async idempotencyKey =>
          subject.client.upgrade(SERVICE, 'production', { package: digest, mode: 'auto' }, { idempotencyKey }),
        )
        upgrades += 1
        if (await end()) kills += 1
        trial.check(`the upgrade killed ${what} succeeded (${outcome})`, outcome === 'Succeeded')
        await subject.ready()
        await subject.allIn()
        trial.check(`killed ${what}: its end is known`, (await subject.client.operation(id ?? '')).status === outcome)
        trial.check(`killed ${what}: it runs what was asked for`, (await subject.view()).package === digest)
        trial.check(`killed ${what}: nothing was put back`, (await subject.client.recovery()).recovery === null)
      }
    }
    await more(load)
    const losses = await load.finish()
    trial.check('some kills came about', kills > 0)
    trial.check('each instance has one process', (await groups(subject)) === SMALL.instances)
    trial.check('nothing was lost', losses.answered === losses.requests)
    return { seen: `${upgrades} upgrades, ${kills} kills; ${lossWords(losses)}`, losses }
  },
}

/** From now on; what it answers ends it, and says whether the process was killed. */
async function killAt(trial: Trial, pid: number, calls: string, nth: number): Promise<() => Promise<boolean>> {
  const inject = ['-e', `trace=${calls}`, '-e', `inject=${calls}:signal=SIGKILL:when=${nth}`]
  const strace = spawn('strace', ['-f', '-p', String(pid), '-o', '/dev/null', ...inject], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const ended = once(strace, 'exit')
  trial.teardown(() => strace.kill('SIGKILL'))
  let said = ''
  strace.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
  await until('strace is attached', () => /attached/.test(said))
  return async () => {
    const killed = strace.exitCode !== null || strace.signalCode !== null
    if (!killed) strace.kill('SIGINT')
    await ended
    return killed
  }
}

async function groups(subject: Subject): Promise<number> {
  return new Set((await subject.pids()).values()).size
}
