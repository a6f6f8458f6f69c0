import type { UpgradeBody } from '../../../../src/contracts/api/bodies.ts'
import type { Fault, Finding } from '../fault.ts'
import type { InstanceLine, OperationLine } from '../history/line.ts'
import { lossWords } from '../support/losses.ts'
import type { PackageOptions } from '../support/package.ts'
import { more } from '../support/subject.ts'
import type { Trial } from '../support/trial.ts'

const INSTANCES = 4
/** Four domains of one. */
const LEAST_IN = INSTANCES - 1
const POLICY: NonNullable<UpgradeBody['policy']> = {
  healthCheckStableDuration: '2s',
  healthCheckRetryTimeout: '3s',
  healthCheckInterval: '200ms',
  upgradeDomainTimeout: '12s',
}

const LOST = {
  nothing: 'nothing is lost',
  'in flight': 'no GET is lost, and no POST but those in flight on what crashed',
} as const
/** On one instance of four, at each of the few times that it crashes. */
const MOST_IN_FLIGHT = 16

/** The upgrade to a version that fails in some way: rolled back, and never more than one domain down. */
function badVersion(
  id: string,
  name: string,
  injected: string,
  options: Partial<PackageOptions>,
  lost: 'nothing' | 'in flight' = 'nothing',
): Fault {
  return {
    id,
    name,
    injected: `a monitored upgrade of four domains, under load, to a version that ${injected}`,
    expected: `the walk stops in its first domain and rolls back; three of four serve all the time; ${LOST[lost]}`,
    async run(trial) {
      const { line, finding, versions } = await walk(trial, options, lost)
      trial.check('the upgrade was rolled back', line.outcome === 'RolledBack')
      trial.check(
        'all run the old version',
        versions.every(version => version === '1.0.0'),
      )
      return finding
    },
  }
}

export const crashesAtStart = badVersion('F6.crash', 'a version crashes at start', 'crashes at its start', {
  settings: { MODE: 'crash' },
})
export const neverHealthy = badVersion('F6.ill', 'a version is never healthy', 'starts and fails every probe', {
  settings: { MODE: 'ill' },
})
export const crashesLater = badVersion(
  'F6.faint',
  'a version crashes when it was ready',
  'crashes 0.5 s after it is ready',
  {
    settings: { MODE: 'faint', MS: '500' },
  },
  'in flight',
)

export const slowStart: Fault = {
  id: 'F6.late',
  name: 'a version starts slowly',
  injected: 'an upgrade, under load, to a version that takes 2 s until it listens',
  expected: 'the walk waits for each domain and completes; three of four serve all the time; nothing is lost',
  async run(trial) {
    const { line, finding, versions } = await walk(trial, { settings: { MODE: 'late', MS: '2000' } })
    trial.check('the upgrade succeeded', line.outcome === 'Succeeded')
    trial.check(
      'all run the new version',
      versions.every(version => version === '2.0.0'),
    )
    return finding
  },
}

async function walk(
  trial: Trial,
  options: Partial<PackageOptions>,
  lost: 'nothing' | 'in flight' = 'nothing',
): Promise<{ line: OperationLine; finding: Finding; versions: string[] }> {
  const subject = await trial.subject()
  await subject.deployed({ version: '1.0.0', instances: INSTANCES, domains: INSTANCES })
  const digest = await subject.upload({ version: '2.0.0', instances: INSTANCES, domains: INSTANCES, ...options })
  const load = await subject.load()
  const line = await subject.operate('upgrade', async idempotencyKey =>
    subject.client.upgrade('subject', 'production', { package: digest, policy: POLICY }, { idempotencyKey }),
  )
  await subject.allIn()
  await more(load)
  const losses = await load.finish()
  const least = leastIn(load.watch.instances)
  trial.check(`never fewer than ${LEAST_IN} in the table`, least >= LEAST_IN)
  if (lost === 'nothing') trial.check('nothing was lost', losses.answered === losses.requests)
  else {
    trial.check('no GET was lost', losses.lostIdempotent === 0)
    trial.check('few POSTs were lost', losses.lostOther <= MOST_IN_FLIGHT)
  }
  const versions = (await subject.view()).instances.map(({ version }) => version)
  const seen = `${line.outcome} ${line.code ?? ''}, at least ${least} of ${INSTANCES} in the table; ${lossWords(losses)}`
  return { line, finding: { seen, losses }, versions }
}

/** The fewest instances that were chosen from at one time, as far as the watch saw it. */
function leastIn(history: readonly InstanceLine[]): number {
  const routing = new Map<string, boolean>()
  let least = Infinity
  let lookedAt = 0
  for (const line of history) {
    // Lines of one look belong together.
    if (line.at !== lookedAt && routing.size > 0) least = Math.min(least, [...routing.values()].filter(Boolean).length)
    lookedAt = line.at
    if (line.gone) routing.delete(line.id)
    else routing.set(line.id, line.routing === 'in')
  }
  return Math.min(least, [...routing.values()].filter(Boolean).length)
}
