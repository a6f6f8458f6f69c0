import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import type { Test } from 'tap'
import { pack } from '../../../bench/system/packages.ts'
import type { MutationOptions } from '../../../src/client/client.ts'
import type { Accepted } from '../../../src/contracts/api/operation.ts'
import { VipswapError } from '../../../src/core/errors.ts'
import { until } from '../../support/until.ts'
import type { CrashRig } from './crash-rig.ts'
import type { KillPlan } from './kill-at-commit.ts'
import { startSteadyLoad } from './steady-load.ts'
import { processesIn, smallPackage } from './system.ts'

/** What the fabric is to be like once an operation is over: version and instances in each slot. */
interface Expected {
  readonly production: readonly [version: string, instances: number]
  readonly staging: readonly [version: string, instances: number] | null
}

interface Step {
  readonly what: string
  /** What goes before it and is not walked. */
  readonly prepare?: () => Promise<void>
  begin(how: MutationOptions): Promise<Accepted>
  readonly leaves: Expected
}

export type Walked = 'swap' | 'deploy and delete' | 'scale' | 'upgrade' | 'rollback'

const WAIT = { timeoutMs: 60_000, intervalMs: 20 }

/**
 * Walks through the commits of operations: kills the controller at the first, the second, … until an operation ends before
 * the kill. After each kill another controller is started, the same request is made again under the same key, and all
 * must be as if nothing had happened.
 */
export class CrashWalk {
  readonly #t: Test
  readonly #rig: CrashRig
  readonly #packages: Readonly<Record<string, string>>
  #load: ReturnType<typeof startSteadyLoad> | null = null
  #requests = 0
  /** How often the controller was killed. */
  kills = 0

  private constructor(t: Test, rig: CrashRig, packages: Readonly<Record<string, string>>) {
    this.#t = t
    this.#rig = rig
    this.#packages = packages
  }

  /** Version 1 in production and 2 in staging, and callers of production until the end of the test. */
  static async begin(t: Test, rig: CrashRig): Promise<CrashWalk> {
    const packages: Record<string, string> = {}
    for (const version of ['1.0.0', '2.0.0', '3.0.0']) {
      const archive = await pack(smallPackage(t, { version, instances: 2 }))
      packages[version] = (await rig.client.uploadPackage(Readable.from([archive]), 'gzip')).digest
    }
    const walk = new CrashWalk(t, rig, packages)
    await walk.#finish(await rig.client.create('small', 'production', { package: walk.#digest('1.0.0') }))
    await walk.#finish(await rig.client.create('small', 'staging', { package: walk.#digest('2.0.0') }))
    const { vips } = await rig.client.service('small')
    walk.#load = startSteadyLoad(vips.find(({ slot }) => slot === 'production')?.url ?? '', 2, 15)
    t.teardown(() => walk.#load?.stop())
    return walk
  }

  /** Kills at every commit, or from `first` on every `stride`-th, of one kind of operation. */
  async walk(kind: Walked, when: KillPlan['when'], { first = 1, stride = 1 } = {}): Promise<number> {
    const before = this.kills
    for (let commit = first; ; commit += stride) {
      let reached = false
      for (const step of this.#steps(kind)) {
        if (await this.#killedAt({ id: randomUUID(), commit, when }, step)) reached = true
      }
      if (!reached) return this.kills - before
    }
  }

  /** Ends the callers; answers how many requests they made. */
  async end(): Promise<number> {
    const counts = await this.#load?.stop()
    this.#t.same(Object.fromEntries(counts?.failures ?? []), {}, 'no request was lost')
    this.#requests = counts?.ok ?? 0
    return this.#requests
  }

  /** Each kind ends where it began, so that it can be done again. */
  *#steps(kind: Walked): Iterable<Step> {
    const { client } = this.#rig
    const both: Expected = { production: ['1.0.0', 2], staging: ['2.0.0', 2] }
    switch (kind) {
      case 'swap': {
        const begin = (how: MutationOptions): Promise<Accepted> => client.swap('small', {}, how)
        yield { what: 'swap', begin, leaves: { production: ['2.0.0', 2], staging: ['1.0.0', 2] } }
        yield { what: 'swap back', begin, leaves: both }
        break
      }
      case 'deploy and delete':
        yield {
          what: 'delete',
          begin: how => client.delete('small', 'staging', how),
          leaves: { ...both, staging: null },
        }
        yield {
          what: 'deploy',
          begin: how => client.create('small', 'staging', { package: this.#digest('2.0.0') }, how),
          leaves: both,
        }
        break
      case 'scale':
        for (const instances of [3, 2]) {
          const configuration = { roles: { web: { instances } } }
          yield {
            what: `scale to ${instances}`,
            begin: how => client.configure('small', 'production', { configuration }, how),
            leaves: { ...both, production: ['1.0.0', instances] },
          }
        }
        break
      case 'upgrade':
        for (const version of ['3.0.0', '1.0.0']) {
          yield {
            what: `upgrade to ${version}`,
            begin: how => client.upgrade('small', 'production', { package: this.#digest(version), mode: 'auto' }, how),
            leaves: { ...both, production: [version, 2] },
          }
        }
        break
      case 'rollback':
        yield {
          what: 'rollback',
          prepare: () => this.#halfUpgraded(),
          begin: how => client.rollback('small', 'production', {}, how),
          leaves: both,
        }
    }
  }

  /** One domain of two on the next version. */
  async #halfUpgraded(): Promise<void> {
    const { client } = this.#rig
    await client.upgrade('small', 'production', { package: this.#digest('3.0.0'), mode: 'unmonitored-manual' })
    await until(
      'the first domain is upgraded',
      async () => {
        const [first] = (await client.service('small')).slots.production?.instances ?? []
        return first?.version === '3.0.0' && first.status === 'ReadyRole'
      },
      WAIT,
    )
  }

  async #killedAt(plan: KillPlan, step: Step): Promise<boolean> {
    const { client } = this.#rig
    const words = `${step.what}, killed ${plan.when} commit ${plan.commit}`
    const how = { idempotencyKey: plan.id }
    await step.prepare?.()
    this.#rig.plan(plan)
    const first = await step.begin(how).catch((error: unknown) => {
      // Cut off by the kill: nobody knows whether it was taken. Anything else is a refusal.
      if (error instanceof VipswapError && error.code === 'unreachable') return null
      throw error
    })
    await until(
      `${words}: over or killed`,
      async () => this.#rig.isDead() || (first !== null && (await this.#isOver(first).catch(() => false))),
      WAIT,
    )
    this.#rig.plan(null)
    const killed = this.#rig.isDead()
    if (killed) {
      this.kills += 1
      await this.#rig.restart()
      if (first !== null) {
        const known = await client.operation(first.operationId).catch(() => null)
        this.#t.equal(known?.id, first.operationId, `${words}: what was acknowledged is there`)
      }
    }
    const again = await step.begin(how)
    if (first !== null) this.#t.equal(again.operationId, first.operationId, `${words}: it is the same operation`)
    await this.#finish(again)
    await this.#check(words, step.leaves)
    return killed
  }

  async #isOver({ operationId }: Accepted): Promise<boolean> {
    return (await this.#rig.client.operation(operationId)).status !== 'InProgress'
  }

  async #finish(accepted: Accepted): Promise<void> {
    await until(`${accepted.operationId} is over`, () => this.#isOver(accepted), WAIT)
    const { status, error } = await this.#rig.client.operation(accepted.operationId)
    if (status !== 'Succeeded') this.#t.fail(`${accepted.operationId} ended ${status}`, { error })
  }

  async #check(words: string, { production, staging }: Expected): Promise<void> {
    const { client, data } = this.#rig
    const wanted = production[1] + (staging?.[1] ?? 0)
    const serving = (): number => processesIn(data).filter(({ command }) => command.startsWith('node server.js')).length
    await until(
      `${words}: every instance is ready, and nothing else runs`,
      async () => {
        const { slots, operation } = await client.service('small')
        const now = [slots.production, slots.staging].map(slot =>
          slot === null ? null : [slot.version, slot.instances.filter(({ status }) => status === 'ReadyRole').length],
        )
        return (
          operation === null &&
          JSON.stringify(now) === JSON.stringify([production, staging]) &&
          slots.production?.instances.length === production[1] &&
          serving() === wanted
        )
      },
      WAIT,
    )
    this.#t.equal(this.#load?.counts.failures.size, 0, `${words}: callers notice nothing`)
  }

  #digest(version: string): string {
    return this.#packages[version] ?? ''
  }
}
