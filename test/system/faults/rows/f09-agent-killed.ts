import { until } from '../../../support/until.ts'
import { processesIn } from '../../support/system.ts'
import type { Fault } from '../fault.ts'
import { lossWords } from '../support/losses.ts'
import { more } from '../support/subject.ts'

export const agentKilled: Fault = {
  id: 'F9',
  name: 'the agents are killed',
  injected: 'kill -9 of each agent in turn, under load',
  expected: 'no request is lost; the next agent adopts the same processes; none runs twice, none is orphaned',
  async run(trial) {
    const subject = await trial.subject()
    await subject.deployed({ version: '1.0.0' })
    const pids = await subject.pids()
    const load = await subject.load()
    for (const name of ['node-0', 'node-1', 'node-0']) {
      await subject.killPart(name)
      await more(load)
    }
    await subject.allIn()
    await until('every agent has adopted its instances', async () => (await subject.pids()).size === pids.size)
    const losses = await load.finish()
    trial.check('nothing was lost', losses.answered === losses.requests)
    trial.check('the same processes serve', JSON.stringify([...(await subject.pids())]) === JSON.stringify([...pids]))
    const serving = processesIn(subject.system.data).filter(({ command }) => command.startsWith('node server.mjs'))
    trial.check('one process an instance', serving.length === 4)
    return { seen: `${lossWords(losses)}; ${serving.length} processes, all adopted`, losses }
  },
}
