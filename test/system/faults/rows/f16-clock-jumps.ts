import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { until } from '../../../support/until.ts'
import type { Fault } from '../fault.ts'
import { lossWords } from '../support/losses.ts'
import { SERVICE } from '../support/package.ts'
import { more } from '../support/subject.ts'
import { fakeTimeLibrary } from '../support/tools.ts'

export const clockJumps: Fault = {
  id: 'F16',
  name: 'the wall clock jumps',
  injected:
    'the wall clock of controller, proxy and agents jumps an hour ahead, then two back, under load and in an upgrade',
  expected: 'no instance leaves the table, no drain or time-out ends early, no negative duration; nothing is lost',
  needs: ['libfaketime'],
  async run(trial) {
    const stamp = join(trial.folder(), 'faketime')
    const set = (offset: string): void => {
      writeFileSync(stamp, `${offset}\n`)
      trial.injected(`the wall clock is set to ${offset}`)
    }
    set('+0')
    const subject = await trial.subject({
      environment: {
        LD_PRELOAD: fakeTimeLibrary() ?? '',
        FAKETIME_TIMESTAMP_FILE: stamp,
        FAKETIME_NO_CACHE: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
      },
    })
    await subject.deployed({ version: '1.0.0', instances: 2, domains: 2 })
    const load = await subject.load()
    for (const offset of ['+1h', '-1h']) {
      set(offset)
      const hours = offset.startsWith('+') ? 1 : -1
      await until(`the controller's clock shows ${offset}`, async () => {
        const { headers } = await fetch(`${subject.system.admin}/healthz`)
        return Math.abs((Date.parse(headers.get('date') ?? '') - Date.now()) / 3_600_000 - hours) < 0.1
      })
      await more(load, 150)
    }
    const left = load.watch.instances.filter(({ routing, gone }) => gone || routing !== 'in').length
    trial.check('no instance left the table', left === 0)
    const digest = await subject.upload({ version: '2.0.0', instances: 2, domains: 2 })
    const upgrade = subject.operate('upgrade', async idempotencyKey =>
      subject.client.upgrade(SERVICE, 'production', { package: digest, mode: 'auto' }, { idempotencyKey }),
    )
    await delay(300)
    set('+1h')
    const { outcome, id } = await upgrade
    trial.check('the upgrade succeeded', outcome === 'Succeeded')
    const receipt = JSON.stringify(await subject.client.receipt(id ?? ''))
    trial.check('no duration is negative', !/Ms":-|seconds":-/.test(receipt))
    await more(load)
    const losses = await load.finish()
    trial.check('nothing was lost', losses.answered === losses.requests)
    return { seen: `upgrade ${outcome}, ${left} instances left the table before it; ${lossWords(losses)}`, losses }
  },
}
