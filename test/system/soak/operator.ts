import { setTimeout as delay } from 'node:timers/promises'
import { errorMessage } from '../../../src/core/errors.ts'
import { SLOTS } from '../../../src/model/slot.ts'
import { until } from '../../support/until.ts'
import { SERVICE } from '../faults/support/package.ts'
import { deployStaging, scaleTo, walkOn, type Deed } from './planned.ts'
import type { Work } from './work.ts'

const REST_MS = 120_000

/** Does one thing after the other, by the dice, each once all has come to rest, until the signal. */
export async function runOperator(
  work: Work,
  deeds: Readonly<Record<string, Deed>>,
  stop: AbortSignal,
  say: (text: string) => void,
): Promise<void> {
  const total = Object.values(deeds).reduce((sum, { weight }) => sum + weight, 0)
  while (!stop.aborted) {
    let roll = work.dice.next() * total
    const [name, deed] = Object.entries(deeds).find(([, { weight }]) => (roll -= weight) < 0) ?? []
    if (name === undefined || deed === undefined) continue
    const began = performance.now()
    try {
      await deed.run(work)
    } catch (error) {
      // A kill may have made it impossible; whether all comes to rest is seen below.
      if (!work.disturbed) work.fail(`${name}: ${errorMessage(error)}`)
    }
    await comeToRest(work)
    say(`${name}: ${Math.round(performance.now() - began)} ms`)
    await delay(work.dice.between(50, 500))
  }
}

/** Until both slots hold deployments of which every instance is chosen from, and nothing is under way. */
async function comeToRest(work: Work): Promise<void> {
  const { client } = work.subject
  try {
    await until(
      'all has come to rest',
      async () => {
        const { slots, operation, prepared } = await client.service(SERVICE)
        if (operation !== null) return false
        if (prepared !== null) {
          await work.operate('swap cancel', async idempotencyKey =>
            client.swap(SERVICE, { phase: 'cancel' }, { idempotencyKey }),
          )
          return false
        }
        if (slots.staging === null) {
          await deployStaging(work)
          return false
        }
        for (const slot of SLOTS) {
          const deployment = slots[slot]
          if (deployment === null) return false
          if (deployment.upgradeStatus !== undefined) {
            if (deployment.actions.walk.allowed) await walkOn(work, slot)
            return false
          }
          for (const { id, drained } of deployment.instances) {
            if (drained)
              await work.operate(`undrain ${slot}`, async key =>
                client.drainInstance('undrain', SERVICE, slot, id, { idempotencyKey: key }),
              )
          }
          const all = deployment.instances.every(({ status, routing }) => status === 'ReadyRole' && routing === 'in')
          if (!all) return false
        }
        return true
      },
      { timeoutMs: REST_MS, intervalMs: 100 },
    )
  } catch (error) {
    work.fail(errorMessage(error))
  }
}

/** As many instances as in the beginning, so that what is used can be compared with then. */
export async function restoreShape(work: Work): Promise<void> {
  await comeToRest(work)
  for (const slot of SLOTS) {
    const { instances } = await work.subject.view(slot)
    if (instances.length !== work.instances) await scaleTo(work, slot, work.instances)
  }
  await comeToRest(work)
}
