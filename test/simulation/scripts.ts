import type { Command, UpgradeCommand } from '../../src/contracts/command.ts'
import type { UpgradeMode } from '../../src/model/states.ts'
import { digest } from './releases.ts'

/** What an operator asks for, `at` so many simulated milliseconds. */
export interface Step {
  readonly at: number
  readonly command: Command
}

const slot = { service: 'shop', slot: 'production' } as const
const staging = { service: 'shop', slot: 'staging' } as const
const packageOf = (version: string): string => digest(`shop@${version}`)
const upgrade = (version: string, mode: UpgradeMode = 'auto', over: Partial<UpgradeCommand> = {}): UpgradeCommand => ({
  kind: 'upgrade',
  ...slot,
  package: packageOf(version),
  mode,
  force: false,
  restartUnchanged: false,
  overlap: false,
  ...over,
})
const roles = (value: Readonly<Record<string, object>>): Command =>
  ({ kind: 'configure', ...slot, configuration: { roles: value } }) as Command // roles of the shop
const deploy: Step = { at: 100, command: { kind: 'create', ...slot, package: packageOf('1.0.0'), replace: false } }
const deployStaging: Step = {
  at: 100,
  command: { kind: 'create', ...staging, package: packageOf('1.1.0'), replace: false },
}
const rollback: Command = { kind: 'rollback', ...slot }
const status = (word: 'Suspended' | 'Running'): Command => ({ kind: 'status', ...slot, status: word })

/** To a version that is ready once and never again. */
export function sickUpgrade(mode: UpgradeMode): Step[] {
  return [deploy, { at: 3000, command: upgrade('1.6.0-sick', mode) }]
}

/** One of each way in which operations meet, to die in at every step. */
export const SCRIPTS: Readonly<Record<string, readonly Step[]>> = {
  upgrade: [deploy, { at: 6000, command: upgrade('1.1.0') }],
  'upgrade over an upgrade': [
    deploy,
    { at: 6000, command: upgrade('1.3.0-hang') },
    { at: 7500, command: upgrade('1.1.0') },
  ],
  'upgrade with overlap': [
    deploy,
    { at: 6000, command: upgrade('1.3.0-hang') },
    { at: 7500, command: upgrade('1.1.0', 'auto', { overlap: true }) },
  ],
  'rollback of an upgrade over an upgrade': [
    deploy,
    { at: 6000, command: upgrade('1.3.0-hang') },
    { at: 7500, command: upgrade('1.2.0-bad', 'monitored') },
    { at: 9000, command: rollback },
  ],
  settings: [deploy, { at: 6000, command: roles({ web: { settings: { colour: 'blue' } } }) }],
  'settings that are told': [
    deploy,
    { at: 6000, command: roles({ crunch: { settings: { depth: '2' } } }) },
    { at: 6050, command: rollback },
  ],
  'scale and its rollback': [
    deploy,
    { at: 6000, command: roles({ web: { instances: 6 } }) },
    { at: 6100, command: rollback },
    { at: 9000, command: roles({ web: { instances: 2 } }) },
    { at: 9100, command: rollback },
  ],
  'scale beside an upgrade': [
    deploy,
    { at: 6000, command: upgrade('1.1.0') },
    { at: 6500, command: roles({ web: { instances: 2 } }) },
    { at: 7000, command: rollback },
  ],
  'suspend in an upgrade, and start': [
    deploy,
    { at: 6000, command: upgrade('1.1.0') },
    { at: 6500, command: status('Suspended') },
    { at: 9000, command: status('Running') },
  ],
  'delete in an upgrade': [
    deploy,
    { at: 6000, command: upgrade('1.3.0-hang') },
    { at: 7500, command: { kind: 'delete', ...slot } },
  ],
  'swap in two phases': [
    deploy,
    deployStaging,
    { at: 8000, command: { kind: 'swap', service: 'shop', phase: 'prepare' } },
    { at: 8200, command: { kind: 'swap', service: 'shop', phase: 'commit' } },
  ],
  'reboot beside a scale': [
    deploy,
    { at: 6000, command: { kind: 'reboot', ...slot, instance: 'web_IN_0' } },
    { at: 6100, command: roles({ web: { instances: 5 } }) },
  ],
  'a pause that ends by itself, also while there is no controller': [
    deploy,
    { at: 6000, command: { kind: 'pause', ...slot, timeoutMs: 400 } },
    { at: 7000, command: { kind: 'pause', ...slot, timeoutMs: 400 } },
  ],
}
