import { setTimeout as delay } from 'node:timers/promises'
import type { Accepted } from '../../../../src/contracts/api/operation.ts'
import { processesIn } from '../../support/system.ts'
import type { Fault } from '../fault.ts'
import type { OperationLine } from '../history/line.ts'
import { lossWords } from '../support/losses.ts'
import { SERVICE } from '../support/package.ts'
import { more, type Subject } from '../support/subject.ts'

const SMALL = { instances: 2, domains: 2 }
/** Moments after the call, milliseconds: its first commits, its middle. */
const MOMENTS = [0, 120]
const LONG_MOMENTS = [0, 5, 10, 20, 40, 80, 160, 320, 640, 1000]

export const controllerKilled: Fault = {
  id: 'F7',
  name: 'the controller is killed in operations',
  injected: 'kill -9 of the controller at several moments of a deploy, swap, upgrade, rollback and delete, under load',
  expected:
    'each operation is finished or undone by its rule; nothing acknowledged is forgotten; no instance is doubled; nothing is lost',
  async run(trial) {
    const subject = await trial.subject()
    await subject.deployed({ version: '1.0.0', ...SMALL })
    const load = await subject.load()
    const next = await subject.upload({ version: '2.0.0', ...SMALL })
    const third = await subject.upload({ version: '3.0.0', ...SMALL })
    const lines: OperationLine[] = []
    let kills = 0
    for (const moment of trial.long ? LONG_MOMENTS : MOMENTS) {
      const during = async (call: string, send: (key: string) => Promise<Accepted>): Promise<void> => {
        const operation = subject.operate(call, send)
        await delay(moment)
        await subject.killPart('controller')
        kills += 1
        const line = await operation
        lines.push(line)
        // An answer that came is kept: whatever was accepted has an end, and is still known.
        trial.check(`${call} killed after ${moment} ms has its end`, line.outcome !== 'unknown')
        trial.check(`${call} killed after ${moment} ms succeeded`, line.outcome === 'Succeeded')
      }
      const at = SERVICE
      await during('create staging', async idempotencyKey =>
        subject.client.create(at, 'staging', { package: next }, { idempotencyKey }),
      )
      await during('swap', async idempotencyKey => subject.client.swap(at, {}, { idempotencyKey }))
      await during('upgrade', async idempotencyKey =>
        subject.client.upgrade(at, 'production', { package: third, mode: 'manual' }, { idempotencyKey }),
      )
      await subject.operate('walk', async idempotencyKey =>
        subject.client.walk(at, 'production', {}, { idempotencyKey }),
      )
      await during('rollback', async idempotencyKey =>
        subject.client.rollback(at, 'production', {}, { idempotencyKey }),
      )
      await during('swap back', async idempotencyKey => subject.client.swap(at, {}, { idempotencyKey }))
      await during('delete staging', async idempotencyKey => subject.client.delete(at, 'staging', { idempotencyKey }))
      await more(load, 20)
    }
    await subject.allIn()
    const losses = await load.finish()
    const serving = await settledProcesses(subject)
    trial.check('one process an instance', serving === SMALL.instances)
    trial.check('nothing was lost', losses.answered === losses.requests)
    return { seen: `${lines.length} operations, ${kills} kills; ${serving} processes; ${lossWords(losses)}`, losses }
  },
}

/** How many role processes there are, deleted ones having had their time to end. */
async function settledProcesses({ system }: Subject): Promise<number> {
  const count = (): number =>
    processesIn(system.data).filter(({ command }) => command.startsWith('node server.mjs')).length
  for (let left = 50; left > 0 && count() !== SMALL.instances; left -= 1) await delay(100)
  return count()
}
