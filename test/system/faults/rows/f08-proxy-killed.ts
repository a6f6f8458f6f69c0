import { descendants } from '../../../../bench/system/processes.ts'
import { until } from '../../../support/until.ts'
import { pidOf } from '../../support/system.ts'
import type { Fault } from '../fault.ts'
import { timeNow } from '../history/recorder.ts'
import { boundOf } from '../support/bound.ts'
import { lossWords, type Losses } from '../support/losses.ts'
import { more, type Load, type Subject } from '../support/subject.ts'
import type { Trial } from '../support/trial.ts'

export const workerKilled: Fault = {
  id: 'F8',
  name: 'the only proxy worker is killed',
  injected: 'kill -9 of the only worker of the data plane under load',
  expected:
    'its connections die; new ones are answered within 1 s (or 12 starts of a bare Node, where the machine is busy); none is refused; no instance is touched',
  async run(trial) {
    const { subject, load, pids } = await underLoad(trial)
    const [worker] = workers(subject)
    trial.injected('SIGKILL to the worker')
    const killedAt = timeNow()
    process.kill(worker ?? 0, 'SIGKILL')
    const finding = await judge(trial, subject, load, pids, killedAt)
    trial.check('no connection was refused', finding.losses.refused === 0)
    return finding
  },
}

export const holderKilled: Fault = {
  id: 'F8.holder',
  name: 'the holder of the listeners is killed',
  injected: 'kill -9 of the proxy process that holds the listeners; its worker finishes what it has',
  expected:
    'new connections are answered by the next one within 1 s (or 12 starts of a bare Node); no instance is touched',
  async run(trial) {
    const { subject, load, pids } = await underLoad(trial)
    const killedAt = timeNow()
    subject.signalPart('proxy-0', 'SIGKILL')
    return judge(trial, subject, load, pids, killedAt)
  },
}

export const proxyAlone: Fault = {
  id: 'F8.alone',
  name: 'the proxy is killed while the controller hangs',
  injected: 'SIGSTOP of the controller, then kill -9 of the holder and its worker',
  expected:
    'back from the table on its disk: it waits 1 s for a controller, so new connections are answered within 3 s (or 12 starts of a bare Node)',
  async run(trial) {
    const { subject, load, pids } = await underLoad(trial)
    const controller = subject.signalPart('controller', 'SIGSTOP')
    trial.teardown(() => continueProcess(controller))
    const [worker] = workers(subject)
    const killedAt = timeNow()
    subject.signalPart('proxy-0', 'SIGKILL')
    process.kill(worker ?? 0, 'SIGKILL')
    const backAt = await answeredAfter(load, killedAt)
    continueProcess(controller)
    return judge(trial, subject, load, pids, killedAt, 3000, backAt)
  },
}

function continueProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGCONT')
  } catch {
    // It has ended.
  }
}

function workers(subject: Subject): number[] {
  return descendants(pidOf(subject.system, 'proxy-0')).map(({ pid }) => pid)
}

async function underLoad(trial: Trial): Promise<{ subject: Subject; load: Load; pids: Map<string, number> }> {
  const subject = await trial.subject()
  await subject.deployed({ version: '1.0.0', instances: 2 })
  return { subject, pids: await subject.pids(), load: await subject.load({ oneShot: 3 }) }
}

/** When new connections were taken again for good: after the last refusal, and the first answer to what was begun after `at`. */
async function answeredAfter({ clients }: Load, at: number): Promise<number> {
  // One-shot clients begin within a few milliseconds: a second without a refusal is the end of them.
  const isOver = (): boolean => {
    const last = clients.requests.findLast(({ outcome }) => outcome === 'refused')
    return last === undefined || timeNow() - last.end > 1000
  }
  const first = await until(
    'a request is answered again',
    () => (isOver() ? clients.requests.find(({ start, outcome }) => start > at && outcome === 'ok') : null),
    { timeoutMs: 20_000 },
  )
  return Math.max(first.end, ...clients.requests.filter(({ outcome }) => outcome === 'refused').map(({ end }) => end))
}

async function judge(
  trial: Trial,
  subject: Subject,
  load: Load,
  pids: ReadonlyMap<string, number>,
  killedAt: number,
  usualMs = 1000,
  backAt?: number,
): Promise<{ seen: string; losses: Losses }> {
  const back = (backAt ?? (await answeredAfter(load, killedAt))) - killedAt
  const boundMs = await boundOf(usualMs)
  await more(load)
  await subject.ready()
  // What the dead process had counted in its last 50 ms died with it.
  const losses = await load.finishUncounted()
  const after = await subject.pids()
  trial.check(`answered within ${Math.round(boundMs)} ms`, back <= boundMs)
  trial.check('the same processes serve', JSON.stringify([...after]) === JSON.stringify([...pids]))
  return { seen: `answered again after ${Math.round(back)} ms; ${lossWords(losses)}`, losses }
}
