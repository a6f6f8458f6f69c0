import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../../../support/until.ts'
import type { Fault } from '../fault.ts'
import { timeNow } from '../history/recorder.ts'
import { lossWords } from '../support/losses.ts'
import { more } from '../support/subject.ts'

export const allKilled: Fault = {
  id: 'F3',
  name: 'all instances are killed at once',
  injected: 'kill -9 of both of two instances under load',
  expected:
    'they are expected back, so later requests are held, and answered by the next processes; only what is in flight is lost (a GET is repeated once)',
  async run(trial) {
    const subject = await trial.subject()
    await subject.deployed({ version: '1.0.0', instances: 2 })
    const load = await subject.load()
    const goneAt = await subject.killGroups([...(await subject.pids()).values()])
    await more(load)
    await subject.allIn()
    const losses = await load.finish()
    const lost = load.clients.requests.filter(({ outcome }) => outcome !== 'ok')
    trial.check(
      'only what was in flight was lost',
      lost.every(({ start }) => start < goneAt),
    )
    return { seen: lossWords(losses), losses }
  },
}

export const allCrashLoop: Fault = {
  id: 'F3.loop',
  name: 'all instances crash again and again',
  injected: 'both instances die at every start, until what they need is there again',
  expected: '503 with Retry-After at once, no hang; answered again by itself once they start',
  async run(trial) {
    const subject = await trial.subject()
    const sick = join(trial.folder(), 'sick')
    await subject.deployed({ version: '1.0.0', instances: 2, settings: { SICK: sick } })
    const [vip] = await subject.vips()
    const url = `http://${vip?.host}:${vip?.port}/`
    writeFileSync(sick, '')
    for (const id of ['web_IN_0', 'web_IN_1']) await subject.signal(id, 'SIGKILL')
    await until(
      'both are in a crash loop',
      async () => (await subject.view()).instances.every(({ status }) => status === 'CyclingRole'),
      { timeoutMs: 30_000 },
    )
    const askedAt = timeNow()
    const answer = await fetch(url)
    const tookMs = timeNow() - askedAt
    trial.check('503', answer.status === 503)
    trial.check('with Retry-After', answer.headers.has('retry-after'))
    trial.check('within a second', tookMs < 1000)
    rmSync(sick)
    const mendedAt = timeNow()
    const back = async (): Promise<boolean> => (await fetch(url)).ok
    await until('it is answered again', back, { timeoutMs: 60_000, intervalMs: 50 })
    const backMs = timeNow() - mendedAt
    const retry = answer.headers.get('retry-after')
    return {
      seen: `${answer.status}, Retry-After ${retry}, after ${Math.round(tookMs)} ms; back ${Math.round(backMs)} ms after the cause was gone`,
    }
  },
}
