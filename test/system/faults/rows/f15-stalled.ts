import { setTimeout as delay } from 'node:timers/promises'
import { descendants } from '../../../../bench/system/processes.ts'
import { pidOf } from '../../support/system.ts'
import type { Fault } from '../fault.ts'
import { lossWords } from '../support/losses.ts'
import { more, type Subject } from '../support/subject.ts'
import type { Trial } from '../support/trial.ts'

const STALL_MS = 4500

export const stalled: Fault = {
  id: 'F15',
  name: 'processes of ours stand still',
  injected: `SIGSTOP for ${STALL_MS} ms of an agent, of the controller, then of the proxy worker, under load`,
  expected:
    'requests wait and are answered; no healthy instance leaves the table because our own timers were late; no restart',
  async run(trial) {
    const subject = await trial.subject()
    await subject.deployed({
      version: '1.0.0',
      probe: '{ path: /healthz, interval: 200ms, timeout: 500ms, unhealthy: 3 }',
    })
    const before = await subject.pids()
    const load = await subject.load()
    await standStill(trial, 'node-0', pidOf(subject.system, 'node-0'))
    await more(load)
    await standStill(trial, 'controller', pidOf(subject.system, 'controller'))
    await more(load)
    await standStill(trial, 'the worker', workerOf(subject))
    await more(load, 100)
    const left = load.watch.instances.filter(({ routing, gone }) => gone || routing !== 'in')
    const losses = await load.finish()
    const { totals } = await subject.client.traffic('subject')
    trial.check('no instance left the table', left.length === 0)
    trial.check('the same processes serve', JSON.stringify([...(await subject.pids())]) === JSON.stringify([...before]))
    trial.check('nothing was lost', losses.answered === losses.requests)
    const seen = `${left.length} times an instance left the table; ${totals.replayed} replayed`
    return { seen: `${seen}; ${lossWords(losses)}`, losses }
  },
}

async function standStill(trial: Trial, name: string, pid: number): Promise<void> {
  trial.injected(`SIGSTOP to ${name}`)
  process.kill(pid, 'SIGSTOP')
  // The fault itself lasts this long.
  await delay(STALL_MS)
  process.kill(pid, 'SIGCONT')
  trial.injected(`SIGCONT to ${name}`)
}

function workerOf({ system }: Subject): number {
  const [worker] = descendants(pidOf(system, 'proxy-0'))
  if (worker === undefined) throw new Error('the proxy has no worker')
  return worker.pid
}
