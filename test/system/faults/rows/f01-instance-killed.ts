import { until } from '../../../support/until.ts'
import type { Fault } from '../fault.ts'
import { lossWords } from '../support/losses.ts'
import { more } from '../support/subject.ts'

export const instanceKilled: Fault = {
  id: 'F1',
  name: 'an instance is killed',
  injected: 'kill -9 of the process group of one of four instances under load',
  expected: 'only POSTs in flight on it are lost; the others notice nothing; it is back by itself; an event says so',
  async run(trial) {
    const subject = await trial.subject()
    await subject.deployed({ version: '1.0.0' })
    const load = await subject.load({ slowPosts: 4, slowGets: 4 })
    const victim = 'web_IN_1'
    const { inFlight, pid } = await subject.instance(victim)
    const goneAt = await subject.killGroups([pid ?? 0])
    await until('it is started again', async () => (await subject.instance(victim)).restarts === 1)
    await subject.allIn()
    await more(load)
    const losses = await load.finish()
    trial.check('no GET was lost', losses.lostIdempotent === 0 && losses.refused === 0)
    const lost = load.clients.requests.filter(({ outcome }) => outcome !== 'ok')
    trial.check(
      'what was lost was in flight',
      lost.every(({ start }) => start < goneAt),
    )
    trial.check('no more was lost than can have been on it', losses.lostOther <= 8)
    const told = load.watch.instances.filter(({ id, routing }) => id === victim && routing !== 'in')
    trial.check('it was seen to leave the table', told.length > 0)
    const { status } = await subject.instance(victim)
    return { seen: `${lossWords(losses)}; ${inFlight} were on it; back as ${status}`, losses }
  },
}

export const idleInstanceKilled: Fault = {
  id: 'F1.idle',
  name: 'an idle instance is killed',
  injected: 'kill -9 of both of two instances, one after the other, without load; then requests',
  expected: 'not one request fails, since each instance is known to be gone or is found refusing',
  async run(trial) {
    const subject = await trial.subject()
    await subject.deployed({ version: '1.0.0', instances: 2 })
    await subject.signal('web_IN_0', 'SIGKILL')
    const load = await subject.load()
    await more(load)
    await until('it is back', async () => (await subject.instance('web_IN_0')).restarts === 1)
    await subject.allIn()
    await subject.signal('web_IN_1', 'SIGKILL')
    await more(load)
    await subject.allIn()
    const losses = await load.finish()
    trial.check('at most what was in flight on the second was lost', losses.lostOther <= 2)
    trial.check('no GET was lost', losses.lostIdempotent === 0)
    return { seen: lossWords(losses), losses }
  },
}
