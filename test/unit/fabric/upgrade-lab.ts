import type { Command } from '../../../src/contracts/command.ts'
import type { HealthReported } from '../../../src/fabric/input.ts'
import type { UpgradeRecord } from '../../../src/fabric/upgrade-record.ts'
import type { HealthState, UpgradeMode } from '../../../src/model/states.ts'
import type { UpgradePolicySource } from '../../../src/model/upgrade-policy-schema.ts'
import { makeRelease, role } from '../../simulation/releases.ts'
import { Lab } from './lab.ts'

const web = role('web', { instances: 3 })
export const V1 = makeRelease('shop', '1.0.0', [web], { upgradeDomainCount: 3 })
export const V2 = makeRelease('shop', '2.0.0', [web], { upgradeDomainCount: 3 })
export const AT = { service: 'shop', slot: 'production' } as const

/** Three instances of 1.0.0, one in each domain, ready. */
export function deployed(releases = [V1, V2]): Lab {
  const lab = new Lab(releases)
  lab.accept({ kind: 'create', ...AT, package: releases[0]?.digest ?? '', replace: false })
  lab.settle()
  return lab
}

export function upgradeTo(mode: UpgradeMode, policy: UpgradePolicySource = {}, digest = V2.digest): Command {
  return {
    kind: 'upgrade',
    ...AT,
    package: digest,
    mode,
    policy,
    force: false,
    restartUnchanged: false,
    overlap: false,
  }
}

export function change(patch: { mode?: UpgradeMode; policy?: UpgradePolicySource }): Command {
  return { kind: 'changeUpgrade', ...AT, ...patch }
}

/** The upgrade under way; throws where there is none. */
export function running(lab: Lab): UpgradeRecord {
  const { upgrade } = lab.deployment()
  if (upgrade === null) throw new Error('no upgrade is running')
  return upgrade
}

/** A watchdog's word on the deployment, or on one instance; answers the refusal's code, or null. */
export function report(
  lab: Lab,
  state: HealthState,
  more: Partial<HealthReported['report']> & { instance?: string } = {},
): string | null {
  const { instance, ...rest } = more
  const said = {
    source: 'probe',
    property: 'p',
    description: '',
    ttlMs: null,
    removeWhenExpired: false,
    sequence: null,
  }
  const applied = lab.input({
    kind: 'health-reported',
    ...AT,
    ...(instance === undefined ? {} : { instance }),
    report: { ...said, state, ...rest },
  })
  return applied.refusal?.code ?? null
}
