import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { VipswapError } from '../../../../src/core/errors.ts'
import { until } from '../../../support/until.ts'
import { pidOf } from '../../support/system.ts'
import type { Fault } from '../fault.ts'
import { lossWords } from '../support/losses.ts'
import { SERVICE } from '../support/package.ts'
import { more } from '../support/subject.ts'

export const flushFails: Fault = {
  id: 'F12',
  name: 'a flush fails',
  injected:
    'fsync and fdatasync of the controller fail with EIO (strace), in the middle of changes, under load; then they work',
  expected:
    'from the first failure on nothing is acknowledged, reads are answered; after a restart all that was acknowledged is there; nothing is lost',
  needs: ['strace'],
  async run(trial) {
    const subject = await trial.subject()
    await subject.deployed({ version: '1.0.0', instances: 2 })
    const load = await subject.load()
    const answered: string[] = []
    const refused: string[] = []
    const mark = async (label: string): Promise<void> => {
      try {
        await subject.client.mark(SERVICE, { label })
        answered.push(label)
      } catch (error) {
        refused.push(error instanceof VipswapError ? error.code : String(error))
      }
    }
    for (let n = 0; n < 5; n += 1) await mark(`before-${n}`)
    const controller = pidOf(subject.system, 'controller')
    const trace = spawn(
      'strace',
      ['-f', '-p', String(controller), '-e', 'trace=fsync,fdatasync', '-e', 'inject=fsync,fdatasync:error=EIO'],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    )
    const traced = once(trace, 'exit')
    trial.teardown(() => trace.kill('SIGKILL'))
    await once(trace.stderr, 'data')
    trial.injected('flushes fail')
    for (let n = 0; n < 2; n += 1) await mark(`during-${n}`)
    trial.check('the failed write was refused', !answered.includes('during-0'))
    const reads = await subject.client.marks(SERVICE).then(
      marks => marks.length,
      () => -1,
    )
    trial.check('reads are answered meanwhile', reads >= answered.length)
    await more(load)
    trace.kill('SIGINT')
    await traced
    trial.injected('flushes work')
    // It ends by itself once flushes work; `up` starts the next.
    await until('there is another controller', () => pidOf(subject.system, 'controller') !== controller)
    await subject.ready()
    await until('changes work again', async () => (await subject.client.mark(SERVICE, { label: 'after' })).mark, {
      timeoutMs: 30_000,
    })
    const labels = (await subject.client.marks(SERVICE)).map(({ label }) => label)
    trial.check(
      'what was acknowledged is there',
      answered.every(label => labels.includes(label)),
    )
    const losses = await load.finish()
    trial.check('nothing was lost', losses.answered === losses.requests)
    return {
      seen: `${answered.length} acknowledged and kept, ${refused.length} refused (${[...new Set(refused)].join(', ')}); ${lossWords(losses)}`,
      losses,
    }
  },
}
