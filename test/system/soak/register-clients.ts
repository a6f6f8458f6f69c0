import { randomUUID } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { pack } from '../../../bench/system/packages.ts'
import { createClient, type Client } from '../../../src/client/client.ts'
import type { Accepted } from '../../../src/contracts/api/operation.ts'
import { ERRORS, VipswapError } from '../../../src/core/errors.ts'
import type { CallLine, SlotsSeen } from '../../checkers/lines.ts'
import { timeNow, type Recorder } from '../faults/history/recorder.ts'
import type { Prng } from '../../simulation/prng.ts'
import { until } from '../../support/until.ts'

const NAME = 'register'
const CLIENTS = 3
const CALLS = 6
const AWAY_MS = 60_000
const THINK_MS = 250

/** Several clients of the admin API that swap, create and delete in one service at once, in rounds, all recorded. */
export class RegisterClients {
  readonly #clients: readonly Client[]
  readonly #recorder: Recorder
  readonly #dice: Prng
  #package = ''
  #round = 0

  constructor(admin: string, recorder: Recorder, dice: Prng) {
    this.#clients = Array.from({ length: CLIENTS }, () => createClient({ url: admin }))
    this.#recorder = recorder
    this.#dice = dice
  }

  /** Deploys a service that does nothing, so that there is something to swap. */
  async begin(folder: string): Promise<void> {
    const [client] = this.#clients
    if (client === undefined) return
    mkdirSync(folder)
    writeFileSync(
      join(folder, 'service.yaml'),
      `name: ${NAME}\nversion: 1.0.0\nroles:\n  idle: { kind: worker, command: [sleep, "1000000"], instances: 1 }\n`,
    )
    this.#package = (await client.uploadPackage(await pack(folder), 'gzip')).digest
    const { operationId } = await client.create(NAME, 'production', { package: this.#package })
    await client.follow(operationId, { timeoutMs: AWAY_MS })
  }

  /** Rounds, one after the other, until the signal. */
  async run(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) await this.#runRound()
  }

  /** As in the beginning: nothing in staging. */
  async end(): Promise<void> {
    const [client] = this.#clients
    if (client === undefined || (await client.service(NAME)).slots.staging === null) return
    const { operationId } = await client.delete(NAME, 'staging')
    await client.follow(operationId, { timeoutMs: AWAY_MS })
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map(async client => client.close()))
  }

  async #runRound(): Promise<void> {
    this.#round += 1
    const round = this.#round
    const running: Promise<void>[] = []
    await this.#call(round, 'first', this.#clients[0], 'read', null, running)
    const act = async (client: Client, index: number): Promise<void> => {
      let known: SlotsSeen | null = null
      for (let n = 0; n < CALLS; n += 1) {
        await delay(this.#dice.between(0, THINK_MS))
        const call = this.#dice.pick(['read', 'read', 'swap', 'swap', 'create', 'delete'] as const)
        const expect: SlotsSeen | null = call === 'swap' && this.#dice.chance(0.7) ? known : null
        known = (await this.#call(round, `client ${index}`, client, call, expect, running)) ?? known
      }
    }
    await Promise.all(this.#clients.map(act))
    await Promise.all(running)
    await until('nothing is under way', async () => (await this.#clients[0]?.service(NAME))?.operation === null, {
      timeoutMs: AWAY_MS,
      intervalMs: 50,
    })
  }

  /** One call, repeated under its key until it is answered. Answers what a read has seen. */
  async #call(
    round: number,
    name: string,
    client: Client | undefined,
    call: CallLine['call'],
    expected: SlotsSeen | null,
    running: Promise<void>[],
  ): Promise<SlotsSeen | null> {
    if (client === undefined) return null
    const idempotencyKey = randomUUID()
    const expect = expected === null ? null : { production: expected.production, staging: expected.staging }
    const start = timeNow()
    const say = (rest: Pick<CallLine, 'outcome'> & Partial<CallLine>): void => {
      const nothing = { code: null, operation: null, seen: null }
      this.#recorder.add({
        type: 'call',
        round,
        client: name,
        call,
        expect,
        start,
        end: timeNow(),
        ...nothing,
        ...rest,
      })
    }
    for (;;) {
      try {
        if (call === 'read') {
          const { slots, operation } = await client.service(NAME)
          const ids = { production: slots.production?.id ?? null, staging: slots.staging?.id ?? null }
          const seen = { ...ids, operation: operation?.id ?? null }
          say({ outcome: 'seen', seen })
          return seen
        }
        const { operationId } = await this.#send(client, call, expect, idempotencyKey)
        say({ outcome: 'accepted', operation: operationId })
        running.push(this.#follow(round, client, operationId, start))
        return null
      } catch (error) {
        if (!(error instanceof VipswapError)) throw error
        const isAway = ERRORS[error.code].status === 503
        if (!isAway) say({ outcome: 'refused', code: error.code })
        else if (timeNow() - start > AWAY_MS) say({ outcome: 'unknown', code: error.code })
        else {
          await delay(50)
          continue
        }
        return null
      }
    }
  }

  async #send(
    client: Client,
    call: 'swap' | 'create' | 'delete',
    expect: CallLine['expect'],
    idempotencyKey: string,
  ): Promise<Accepted> {
    const how = { idempotencyKey }
    if (call === 'swap') return client.swap(NAME, expect === null ? {} : { expect }, how)
    if (call === 'create') return client.create(NAME, 'staging', { package: this.#package }, how)
    return client.delete(NAME, 'staging', how)
  }

  async #follow(round: number, client: Client, operation: string, start: number): Promise<void> {
    const { status, deployment = null } = await client.follow(operation, { timeoutMs: AWAY_MS })
    this.#recorder.add({ type: 'ended', round, operation, start, end: timeNow(), outcome: status, deployment })
  }
}
