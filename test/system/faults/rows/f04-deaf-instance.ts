import { createServer } from 'node:net'
import { identify } from '../../../../src/core/process-identity.ts'
import { processesIn } from '../../support/system.ts'
import { until } from '../../../support/until.ts'
import type { Fault } from '../fault.ts'
import type { InstanceNote } from '../support/instance-notes.ts'
import { timeNow } from '../history/recorder.ts'
import { lossWords } from '../support/losses.ts'

export const deafInstance: Fault = {
  id: 'F4',
  name: 'instances ignore SIGTERM',
  injected: 'an upgrade of instances that ignore SIGTERM, with a stopTimeout of 1 s, under load',
  expected: 'each group is killed after its stopTimeout, and its port is free; the walk goes on; nothing is lost',
  async run(trial) {
    const subject = await trial.subject()
    const settings = { MODE: 'deaf' }
    const deaf = { instances: 2, domains: 2, settings, stopTimeout: '1s' }
    await subject.deployed({ version: '1.0.0', ...deaf })
    const before = [...(await subject.pids()).values()]
    const digest = await subject.upload({ version: '2.0.0', ...deaf, settings: {} })
    const load = await subject.load()
    const began = timeNow()
    const { outcome } = await subject.operate('upgrade', async idempotencyKey =>
      subject.client.upgrade(
        'subject',
        'production',
        { package: digest, mode: 'unmonitored-auto' },
        { idempotencyKey },
      ),
    )
    const took = timeNow() - began
    const losses = await load.finish()
    const told = subject.notes().filter(({ what, version }) => what === 'told' && version === '1.0.0')
    const ports = subject.notes().filter(({ what, version }) => what === 'began' && version === '1.0.0')
    const alive = processesIn(subject.system.data).filter(({ pid }) => before.includes(pid))
    trial.check('the upgrade succeeded', outcome === 'Succeeded')
    trial.check('both were told first', told.length === 2)
    trial.check('their groups are gone', alive.length === 0)
    for (const { port = 0 } of ports) trial.check(`port ${port} is free`, await isFree(port))
    trial.check('nothing was lost', losses.answered === losses.requests)
    return { seen: `${outcome} after ${Math.round(took)} ms; ${lossWords(losses)}`, losses }
  },
}

export const orphanedChild: Fault = {
  id: 'F5',
  name: 'an instance leaves children behind',
  injected: 'the main process ends while a child of it goes on listening on the port',
  expected: 'the whole group is ended before the next process starts: nothing is left listening',
  async run(trial) {
    const subject = await trial.subject()
    await subject.deployed({ version: '1.0.0', instances: 1, settings: { MODE: 'parent', MS: '1500' } })
    const children = (): InstanceNote[] => subject.notes().filter(({ what }) => what === 'listens')
    await until('the next one listens', () => children().length > 1, { timeoutMs: 20_000 })
    const [first] = children().toSorted((a, b) => a.at - b.at)
    trial.check('the child is gone', first !== undefined && identify(first.pid) === null)
    const ports = subject.notes().filter(({ what }) => what === 'began')
    trial.check('the port of the first is free', await isFree(ports.toSorted((a, b) => a.at - b.at)[0]?.port ?? 0))
    const serving = processesIn(subject.system.data).filter(({ command }) => command.includes('server.mjs'))
    return {
      seen: `the child (of ${children().length} so far) ended with its parent; ${serving.length} processes serve`,
    }
  },
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  return new Promise(resolve => {
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
