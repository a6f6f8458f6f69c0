import { errorMessage } from '../../../src/core/errors.ts'
import { isAlive, identify } from '../../../src/core/process-identity.ts'
import type { Slot } from '../../../src/model/slot.ts'
import type { UpgradeMode } from '../../../src/model/states.ts'
import { until } from '../../support/until.ts'
import { timeNow } from '../faults/history/recorder.ts'
import { SERVICE } from '../faults/support/package.ts'
import { pidOf, runCli } from '../support/system.ts'
import type { SecureService } from './secure-service.ts'
import type { Work } from './work.ts'

/** Something that an operator does in the course of things. */
export interface Deed {
  readonly weight: number
  run(work: Work): Promise<void>
}

/** A second is a long time here; the defaults would make each upgrade last a minute. */
const POLICY = {
  healthCheckWaitDuration: '0s',
  healthCheckStableDuration: '1s',
  healthCheckRetryTimeout: '30s',
  healthCheckInterval: '500ms',
}

/** Everything planned that can be done to services, proxies, agents and the controller. */
export function deeds(secure: SecureService, folder: string): Readonly<Record<string, Deed>> {
  return {
    swap: { weight: 8, run: swap },
    'swap in two phases': { weight: 2, run: swapInPhases },
    'upgrade monitored': { weight: 2, run: work => upgrade(work, 'monitored') },
    'upgrade auto': { weight: 2, run: work => upgrade(work, 'auto') },
    'upgrade manual': { weight: 1, run: work => upgrade(work, 'manual') },
    'upgrade unmonitored-auto': { weight: 1, run: work => upgrade(work, 'unmonitored-auto') },
    'upgrade unmonitored-manual': { weight: 1, run: work => upgrade(work, 'unmonitored-manual') },
    'upgrade simultaneous': { weight: 1, run: work => upgrade(work, 'simultaneous') },
    rollback: { weight: 2, run: rollBack },
    'bad version': { weight: 1, run: badVersion },
    scale: { weight: 2, run: scale },
    settings: { weight: 1, run: settings },
    reboot: { weight: 1, run: reboot },
    'drain instance': { weight: 1, run: drainInstance },
    'another deployment': { weight: 2, run: anotherDeployment },
    certificate: { weight: 2, run: work => certificate(work, secure, folder) },
    'replace proxy': { weight: 2, run: replaceProxy },
    'restart controller': { weight: 2, run: work => restart(work, 'controller') },
    'restart agent': { weight: 1, run: work => restart(work, work.dice.pick(['node-0', 'node-1'])) },
    gc: { weight: 1, run: gc },
  }
}

async function swap(work: Work): Promise<void> {
  const expect = await work.slots()
  await work.operate('swap', async idempotencyKey => work.subject.client.swap(SERVICE, { expect }, { idempotencyKey }))
}

async function swapInPhases(work: Work): Promise<void> {
  const last = work.dice.chance(0.7) ? 'commit' : 'cancel'
  for (const phase of ['prepare', last] as const) {
    await work.operate(`swap ${phase}`, async idempotencyKey =>
      work.subject.client.swap(SERVICE, { phase }, { idempotencyKey }),
    )
  }
}

async function upgrade(work: Work, mode: UpgradeMode): Promise<void> {
  const slot = work.slot()
  const begun = begin(work, slot, mode)
  // A manual upgrade has ended as an operation once it is accepted, an unmonitored one only after its last domain.
  if (mode === 'unmonitored-manual') {
    const walks = async (): Promise<boolean> => (await work.subject.view(slot)).upgradeStatus !== undefined
    await Promise.race([begun, until('the walk has begun', walks, { timeoutMs: 60_000, intervalMs: 20 })])
    await walkOn(work, slot)
  }
  await begun
  if (mode === 'manual') await walkOn(work, slot)
}

async function begin(work: Work, slot: Slot, mode: UpgradeMode): Promise<void> {
  const digest = await work.subject.upload(work.next())
  const policy = mode === 'monitored' ? { policy: POLICY } : {}
  await work.operate(`upgrade ${slot} ${mode}`, async idempotencyKey =>
    work.subject.client.upgrade(SERVICE, slot, { package: digest, mode, ...policy }, { idempotencyKey }),
  )
}

/** Walks a waiting upgrade domain by domain, at most `domains` of them. */
export async function walkOn(work: Work, slot: Slot, domains = 20): Promise<void> {
  for (let n = 0; n < domains; n += 1) {
    // The first domain of an unmonitored one goes by itself.
    const walking = await until(
      'the walk waits or is over',
      async () => {
        const { upgradeStatus, actions } = await work.subject.view(slot)
        if (upgradeStatus === undefined) return 'over'
        return actions.walk.allowed ? 'waits' : null
      },
      { timeoutMs: 60_000, intervalMs: 50 },
    )
    if (walking === 'over') return
    await work.operate(`walk ${slot}`, async idempotencyKey =>
      work.subject.client.walk(SERVICE, slot, {}, { idempotencyKey }),
    )
  }
}

async function rollBack(work: Work): Promise<void> {
  const slot = work.slot()
  await begin(work, slot, 'manual')
  // After its last domain there is nothing to go back from.
  const { effectiveUpgradeDomainCount: domains } = await work.subject.view(slot)
  await walkOn(work, slot, work.dice.between(1, Math.max(1, domains - 1)))
  await work.operate(`rollback ${slot}`, async idempotencyKey =>
    work.subject.client.rollback(SERVICE, slot, {}, { idempotencyKey }),
  )
}

/** A version that never becomes healthy goes back by itself, and only its domain was ever out. */
async function badVersion(work: Work): Promise<void> {
  const slot = work.slot()
  const digest = await work.subject.upload(work.next({ MODE: 'ill' }))
  const policy = { ...POLICY, healthCheckRetryTimeout: '4s' }
  await work.operate(
    `upgrade ${slot} monitored bad`,
    async idempotencyKey =>
      work.subject.client.upgrade(SERVICE, slot, { package: digest, mode: 'monitored', policy }, { idempotencyKey }),
    'RolledBack',
  )
}

async function scale(work: Work): Promise<void> {
  const slot = work.slot()
  const { instances } = await work.subject.view(slot)
  const usual = work.instances
  const count = instances.length === usual ? work.dice.pick([Math.max(2, usual - 1), usual + 1]) : usual
  await scaleTo(work, slot, count)
}

export async function scaleTo(work: Work, slot: Slot, count: number): Promise<void> {
  await work.operate(`scale ${slot} to ${count}`, async idempotencyKey =>
    work.subject.client.configure(
      SERVICE,
      slot,
      { configuration: { roles: { web: { instances: count } } } },
      { idempotencyKey },
    ),
  )
}

async function settings(work: Work): Promise<void> {
  const slot = work.slot()
  const configuration = { roles: { web: { settings: { STEP: String(work.dice.between(1, 1_000_000)) } } } }
  await work.operate(`settings ${slot} auto`, async idempotencyKey =>
    work.subject.client.configure(SERVICE, slot, { configuration, mode: 'auto' }, { idempotencyKey }),
  )
}

async function reboot(work: Work): Promise<void> {
  const slot = work.slot()
  await work.operate(`reboot ${slot}`, async idempotencyKey =>
    work.subject.client.restart('reboot', SERVICE, slot, 'web_IN_0', { idempotencyKey }),
  )
}

async function drainInstance(work: Work): Promise<void> {
  const slot = work.slot()
  for (const verb of ['drain', 'undrain'] as const) {
    await work.operate(`${verb} ${slot}`, async idempotencyKey =>
      work.subject.client.drainInstance(verb, SERVICE, slot, 'web_IN_1', { idempotencyKey }),
    )
  }
}

async function anotherDeployment(work: Work): Promise<void> {
  const { subject } = work
  await work.operate('delete staging', async idempotencyKey =>
    subject.client.delete(SERVICE, 'staging', { idempotencyKey }),
  )
  await deployStaging(work)
}

export async function deployStaging(work: Work): Promise<void> {
  const digest = await work.subject.upload(work.next())
  await work.operate('create staging', async idempotencyKey =>
    work.subject.client.create(SERVICE, 'staging', { package: digest }, { idempotencyKey }),
  )
}

async function certificate(work: Work, secure: SecureService, folder: string): Promise<void> {
  const fault = await secure.renew(folder)
  work.count('certificate')
  if (fault !== '' && !work.disturbed) work.fail(`a certificate could not be changed: ${fault}`)
}

async function replaceProxy(work: Work): Promise<void> {
  const { data } = work.subject.system
  const start = timeNow()
  const old = identify(pidOf(work.subject.system, 'proxy-0'))
  const { code, stderr } = await runCli(['proxy', '--replace', '--data', data, '--drain-timeout', '5s'])
  if (code !== 0 && !work.disturbed) work.fail(`the proxy could not be replaced: ${stderr}`)
  if (code === 0 && old !== null)
    await until('the old proxy has ended', () => !isAlive(old), { timeoutMs: 30_000, intervalMs: 50 })
  const outcome = code === 0 ? 'Succeeded' : 'Failed'
  const line = { type: 'operation', call: 'replace proxy', id: null, accepted: null, code: null } as const
  work.record({ ...line, start, end: timeNow(), outcome })
}

/** By SIGTERM, as the documentation tells a person to. */
async function restart(work: Work, part: string): Promise<void> {
  const before = pidOf(work.subject.system, part)
  process.kill(before, 'SIGTERM')
  await until(`${part} is started again`, () => pidOf(work.subject.system, part) !== before, { timeoutMs: 30_000 })
  await work.subject.ready()
  work.count(`restart ${part}`)
}

async function gc(work: Work): Promise<void> {
  try {
    await work.subject.client.gc()
    work.count('gc')
  } catch (error) {
    if (!work.disturbed) work.fail(`gc: ${errorMessage(error)}`)
  }
}
