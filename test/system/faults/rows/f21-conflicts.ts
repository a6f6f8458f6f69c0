import { randomUUID } from 'node:crypto'
import { VipswapError } from '../../../../src/core/errors.ts'
import type { Accepted } from '../../../../src/contracts/api/operation.ts'
import type { Fault } from '../fault.ts'
import { lossWords } from '../support/losses.ts'
import { SERVICE } from '../support/package.ts'
import { more } from '../support/subject.ts'

const SMALL = { instances: 2, domains: 2 }

/** `accepted`, or the code of the refusal. */
async function ask(call: Promise<Accepted>): Promise<string> {
  try {
    await call
    return 'accepted'
  } catch (error) {
    if (error instanceof VipswapError) return error.code
    throw error
  }
}

export const conflicts: Fault = {
  id: 'F21',
  name: 'operations meet',
  injected:
    'a swap during an upgrade; a swap and an upgrade while a swap is undecided; two swaps at once; one swap sent twice with the same key; under load',
  expected:
    'one wins, the others get 409 and change nothing; the key makes the second swap the first one; nothing is lost',
  async run(trial) {
    const subject = await trial.subject()
    const { client } = subject
    await subject.deployed({ version: '1.0.0', ...SMALL })
    await subject.deployed({ version: '2.0.0', ...SMALL }, 'staging')
    const third = await subject.upload({ version: '3.0.0', ...SMALL })
    const load = await subject.load({ slots: ['production', 'staging'] })
    await subject.operate('upgrade', async idempotencyKey =>
      client.upgrade(SERVICE, 'production', { package: third, mode: 'manual' }, { idempotencyKey }),
    )
    const during = {
      swap: await ask(client.swap(SERVICE)),
      'swap that expects otherwise': await ask(client.swap(SERVICE, { expect: { production: 'd9', staging: 'd8' } })),
    }
    for (const [what, answer] of Object.entries(during))
      trial.check(`${what} during it is refused`, answer !== 'accepted')
    await subject.operate('rollback', async idempotencyKey =>
      client.rollback(SERVICE, 'production', {}, { idempotencyKey }),
    )
    await subject.operate('swap prepare', async idempotencyKey =>
      client.swap(SERVICE, { phase: 'prepare' }, { idempotencyKey }),
    )
    const undecided = {
      'a second swap': await ask(client.swap(SERVICE)),
      'an upgrade': await ask(client.upgrade(SERVICE, 'production', { package: third, mode: 'manual' })),
    }
    for (const [what, answer] of Object.entries(undecided)) {
      trial.check(`${what} while one is undecided is refused`, answer !== 'accepted')
    }
    await subject.operate('swap cancel', async idempotencyKey =>
      client.swap(SERVICE, { phase: 'cancel' }, { idempotencyKey }),
    )
    const before = (await subject.view()).id
    const idempotencyKey = randomUUID()
    const twice = await Promise.all([
      client.swap(SERVICE, {}, { idempotencyKey }),
      client.swap(SERVICE, {}, { idempotencyKey }),
    ])
    trial.check('the same operation twice', twice[0].operationId === twice[1].operationId)
    await client.follow(twice[0].operationId)
    trial.check('swapped once', (await subject.view()).id !== before)
    const both = await Promise.all([ask(client.swap(SERVICE)), ask(client.swap(SERVICE))])
    const accepted = both.filter(each => each === 'accepted').length
    trial.check('of two swaps at once one is refused', accepted === 1)
    await more(load)
    const losses = await load.finish()
    trial.check('nothing was lost', losses.answered === losses.requests)
    const answers = Object.entries({ ...during, ...undecided }).map(([what, answer]) => `${what}: ${answer}`)
    return { seen: `${answers.join(', ')}; two swaps at once: ${both.join(', ')}; ${lossWords(losses)}`, losses }
  },
}

export const refusedSwaps: Fault = {
  id: 'F22',
  name: 'swaps that cannot be',
  injected: 'a swap with an empty service, with other endpoints in staging, with an unhealthy staging; under load',
  expected: '409 with the reason; nothing has changed; nothing is lost',
  async run(trial) {
    const subject = await trial.subject()
    const { client } = subject
    await subject.deployed({ version: '1.0.0', ...SMALL })
    const load = await subject.load()
    const production = (await subject.view()).id
    const answers: string[] = []
    const refused = async (name: string): Promise<void> => {
      const answer = await ask(client.swap(SERVICE, { expect: { production, staging: 'd99' } }))
      answers.push(`${name}: ${answer}`)
      trial.check(`${name} is refused`, answer !== 'accepted')
    }
    await refused('another staging than expected')
    await subject.deployed(
      { version: '2.0.0', ...SMALL, endpoint: '{ protocol: tcp, port: 0 }', probe: '{ protocol: tcp }' },
      'staging',
    )
    const mismatch = await ask(client.swap(SERVICE))
    answers.push(`other endpoints: ${mismatch}`)
    trial.check('other endpoints are refused', mismatch === 'endpoint_mismatch')
    await subject.operate('delete staging', async idempotencyKey =>
      client.delete(SERVICE, 'staging', { idempotencyKey }),
    )
    const ill = subject.deploy({ version: '3.0.0', ...SMALL, settings: { MODE: 'ill' }, startTimeout: '3s' }, 'staging')
    await more(load, 100)
    const unready = await ask(client.swap(SERVICE))
    answers.push(`an unhealthy staging: ${unready}`)
    trial.check('an unhealthy staging is refused', unready !== 'accepted')
    await ill
    trial.check('production is what it was', (await subject.view()).id === production)
    const losses = await load.finish()
    trial.check('nothing was lost', losses.answered === losses.requests)
    return { seen: `${answers.join(', ')}; ${lossWords(losses)}`, losses }
  },
}
