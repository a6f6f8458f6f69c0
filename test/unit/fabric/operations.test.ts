import t from 'tap'
import type { Command, UpgradeCommand } from '../../../src/contracts/command.ts'
import type { UpgradeMode } from '../../../src/model/states.ts'
import { RUNNING, VERBS, type Outcome, type Running, type Verb } from '../../../src/fabric/concurrency.ts'
import { certificate, endpoint, makeRelease, role } from '../../simulation/releases.ts'
import { Lab } from './lab.ts'

// Each cell of the table in src/fabric/concurrency.ts, asked of the rules themselves. Cloud Services, "How to update a
// cloud service", "Initiating multiple mutating operations on an ongoing deployment": "Once an update operation is
// accepted … other mutating operations can be called: Change Deployment Configuration, Upgrade, Update Deployment Status,
// Delete Deployment, Rollback".

const SITE = certificate('one', ['shop.localhost'])
const OTHER = certificate('two', ['shop.localhost'])
const THIRD = certificate('three', ['shop.localhost'])
const tls = endpoint('tls', 8443, { protocol: 'https', certificates: ['site'] })
const web = role('web', {
  instances: 3,
  endpoints: [endpoint('http', 8080), tls],
  certificates: { site: { cert: 'a', key: 'a' } },
  settings: { colour: 'red' },
})

function release(version: string) {
  return {
    ...makeRelease('shop', version, [web], { upgradeDomainCount: 3 }),
    certificates: { web: { site: { id: SITE.id } } },
  }
}

const [V1, V2, V3] = [release('1.0.0'), release('2.0.0'), release('3.0.0')]
/** Another role, and more of the one there is. */
const RESHAPED = {
  ...makeRelease('shop', '4.0.0', [{ ...web, instances: 4 }, role('crunch', { kind: 'worker', endpoints: [] })], {
    upgradeDomainCount: 3,
  }),
  certificates: { web: { site: { id: SITE.id } } },
}
const at = { service: 'shop', slot: 'production' } as const
const elsewhere = { service: 'shop', slot: 'staging' } as const

const upgrade = (mode: UpgradeMode, over: Partial<UpgradeCommand> = {}): UpgradeCommand => ({
  kind: 'upgrade',
  ...at,
  package: V2.digest,
  mode,
  force: false,
  restartUnchanged: false,
  overlap: false,
  ...over,
})
const colour = (value: string, mode?: UpgradeMode): Command => ({
  kind: 'configure',
  ...at,
  configuration: { roles: { web: { settings: { colour: value } } } },
  ...(mode === undefined ? {} : { mode }),
})
function renew(id: string): Command {
  return { kind: 'configure', ...at, configuration: { roles: { web: { certificates: { site: { id } } } } } }
}
const count = (instances: number): Command => ({
  kind: 'configure',
  ...at,
  configuration: { roles: { web: { instances } } },
})
const create = { kind: 'create', ...at, package: V1.digest, replace: false } as const

/** What is asked for while something runs. */
const ASK: Record<Verb, Command> = {
  upgrade: upgrade('auto', { package: V3.digest }),
  configure: colour('blue'),
  certificates: renew(OTHER.id),
  scale: count(5),
  suspend: { kind: 'status', ...at, status: 'Suspended' },
  start: { kind: 'status', ...at, status: 'Running' },
  delete: { kind: 'delete', ...at },
  replace: { ...create, package: V3.digest, replace: true },
  deployOther: { kind: 'create', ...elsewhere, package: V3.digest, replace: false },
  rollback: { kind: 'rollback', ...at },
  walk: { kind: 'walk', ...at },
  swap: { kind: 'swap', service: 'shop' },
  reboot: { kind: 'reboot', ...at, instance: 'web_IN_0' },
}

/** A way to be in the middle of something: what runs is in the last operation, or null where that has ended. */
interface Situation {
  readonly name: string
  readonly running: Running
  /** Staging is empty unless the situation fills it. */
  readonly make: (lab: Lab) => string | null
  /** Cells where it is otherwise than the row says, for a reason that the table names. */
  readonly but?: Partial<Record<Verb, Outcome>>
}

/** An upgrade whose first domain is down. */
function inFlight(lab: Lab, command: Command): string {
  const operation = lab.accept(command)
  lab.seen = instance => (instance.incarnation > 1 ? { state: 'starting' } : {})
  lab.settle()
  return operation
}

function staged(lab: Lab): void {
  if (lab.state.services['shop']?.slots.staging) return
  lab.accept({ ...create, ...elsewhere })
  lab.settle()
}

const MODES: readonly UpgradeMode[] = ['monitored', 'auto', 'unmonitored-auto', 'unmonitored-manual', 'simultaneous']

const SITUATIONS: readonly Situation[] = [
  ...[...MODES, 'manual' as const].map(mode => ({
    name: `${mode} upgrade, packages being fetched`,
    running: 'walking' as const,
    make: (lab: Lab) => lab.accept(upgrade(mode)),
  })),
  ...MODES.map(mode => ({
    name: `${mode} upgrade, domain in flight`,
    running: 'walking' as const,
    make: (lab: Lab) => inFlight(lab, upgrade(mode)),
  })),
  {
    name: 'manual upgrade, domain in flight',
    running: 'walking',
    make: lab => {
      lab.accept(upgrade('manual'))
      lab.settle()
      inFlight(lab, ASK.walk)
      return null
    },
  },
  {
    name: 'monitored upgrade, domain being verified',
    running: 'walking',
    make: lab => {
      const operation = lab.accept(upgrade('monitored'))
      lab.settle()
      return operation
    },
  },
  {
    name: 'auto upgrade, stuck in a crash loop',
    running: 'walking',
    make: lab => {
      lab.seen = ({ spec }) => (spec.version === '2.0.0' ? { state: 'cycling' } : {})
      const operation = lab.accept(upgrade('auto'))
      lab.settle()
      return operation
    },
  },
  {
    name: 'upgrade that adds a role and scales, instances starting on the old version',
    running: 'walking',
    make: lab => {
      lab.seen = ({ index }) => (index > 2 ? { state: 'starting' } : {})
      const operation = lab.accept(upgrade('auto', { package: RESHAPED.digest }))
      lab.settle()
      return operation
    },
    but: { scale: 'supersedes' },
  },
  {
    name: 'upgrade that adds a role and scales, domain in flight',
    running: 'walking',
    make: lab => {
      const operation = lab.accept(upgrade('auto', { package: RESHAPED.digest }))
      lab.seen = ({ spec, index }) => (spec.version === '4.0.0' && index === 0 ? { state: 'starting' } : {})
      lab.settle()
      return operation
    },
    but: { scale: 'supersedes' },
  },
  {
    name: 'rollback of an upgrade that adds a role and scales, domain in flight',
    running: 'rollingBack',
    make: lab => {
      lab.accept(upgrade('unmonitored-manual', { package: RESHAPED.digest }))
      lab.settle()
      const operation = lab.accept(ASK.rollback)
      lab.seen = ({ incarnation }) => (incarnation > 2 ? { state: 'starting' } : {})
      lab.settle()
      return operation
    },
    but: { scale: 'supersedes' },
  },
  {
    name: 'manual upgrade, nothing walked',
    running: 'waiting',
    make: lab => {
      lab.accept(upgrade('manual'))
      lab.settle()
      return null
    },
  },
  {
    name: 'unmonitored-manual upgrade, one domain walked',
    running: 'waiting',
    make: lab => {
      const operation = lab.accept(upgrade('unmonitored-manual'))
      lab.settle()
      return operation
    },
  },
  { name: 'settings, domain in flight', running: 'walking', make: lab => inFlight(lab, colour('green')) },
  {
    name: 'settings by hand, nothing walked',
    running: 'waiting',
    make: lab => {
      lab.accept(colour('green', 'manual'))
      lab.settle()
      return null
    },
  },
  {
    name: 'certificates, not published',
    running: 'certificates',
    make: lab => lab.accept(renew(THIRD.id), null, [THIRD]),
  },
  {
    name: 'scale out, instances starting',
    running: 'scaling',
    make: lab => {
      lab.seen = ({ index }) => (index > 2 ? { state: 'starting' } : {})
      const operation = lab.accept(count(4))
      lab.settle()
      return operation
    },
  },
  { name: 'scale in, an instance draining', running: 'scaling', make: lab => lab.accept(count(2)) },
  {
    name: 'rollback of a scale',
    running: 'unscaling',
    make: lab => {
      lab.accept(count(4))
      return lab.accept(ASK.rollback)
    },
  },
  {
    name: 'rollback, domain in flight',
    running: 'rollingBack',
    make: lab => {
      inFlight(lab, upgrade('auto'))
      const operation = lab.accept(ASK.rollback)
      lab.settle()
      return operation
    },
  },
  {
    name: 'manual rollback, nothing walked',
    running: 'rollbackWaiting',
    make: lab => {
      inFlight(lab, upgrade('auto'))
      lab.accept({ kind: 'rollback', ...at, mode: 'manual' })
      return null
    },
  },
  {
    name: 'rollback that could not start an old instance',
    running: 'rollbackHalted',
    make: lab => {
      inFlight(lab, upgrade('auto'))
      lab.accept(ASK.rollback)
      lab.seen = ({ incarnation }) => (incarnation > 2 ? { state: 'cycling' } : {})
      lab.settle()
      return null
    },
  },
  {
    name: 'an upgrade, suspended',
    running: 'paused',
    make: lab => {
      const operation = inFlight(lab, upgrade('auto'))
      lab.accept(ASK.suspend)
      lab.settle()
      return operation
    },
  },
  {
    name: 'an upgrade in the other slot',
    running: 'otherWalk',
    make: lab => {
      staged(lab)
      return lab.accept(upgrade('auto', elsewhere))
    },
  },
  {
    name: 'reboot, instance starting',
    running: 'rebooting',
    make: lab => inFlight(lab, ASK.reboot),
  },
  {
    name: 'deploy, binding',
    running: 'creating',
    make: lab => {
      lab.accept(ASK.delete)
      lab.settle()
      return lab.accept(create)
    },
  },
  {
    name: 'deploy, instances starting',
    running: 'starting',
    make: lab => {
      lab.accept(ASK.delete)
      lab.settle()
      lab.seen = () => ({ state: 'starting' })
      const operation = lab.accept(create)
      lab.settle()
      return operation
    },
  },
  { name: 'suspend, draining', running: 'suspending', make: lab => lab.accept(ASK.suspend) },
  {
    name: 'suspended',
    running: 'suspended',
    make: lab => {
      lab.accept(ASK.suspend)
      lab.settle()
      return null
    },
  },
  {
    name: 'start, instances starting',
    running: 'resuming',
    make: lab => {
      lab.accept(ASK.suspend)
      lab.settle()
      return inFlight(lab, ASK.start)
    },
  },
  {
    name: 'start over a paused upgrade, instances starting',
    running: 'resumingWalk',
    make: lab => {
      inFlight(lab, upgrade('auto'))
      lab.accept(ASK.suspend)
      lab.settle()
      return inFlight(lab, ASK.start)
    },
  },
  { name: 'delete, draining', running: 'deleting', make: lab => lab.accept(ASK.delete) },
  { name: 'deploy --replace, draining', running: 'deleting', make: lab => lab.accept(ASK.replace) },
  {
    name: 'swap prepared',
    running: 'prepared',
    make: lab => {
      staged(lab)
      lab.accept({ kind: 'swap', service: 'shop', phase: 'prepare' })
      return null
    },
  },
  {
    name: 'swap, not published',
    running: 'swapping',
    make: lab => {
      staged(lab)
      return lab.accept(ASK.swap)
    },
  },
]

t.test('every row of the table has a situation', t => {
  const tested = new Set(SITUATIONS.map(({ running }) => running))
  t.strictSame(
    Object.keys(RUNNING).filter(running => !tested.has(running as Running)), // keys of RUNNING
    [],
  )
  t.end()
})

for (const { name, running, make, but } of SITUATIONS) {
  for (const verb of Object.keys(VERBS) as Verb[]) {
    // keys of VERBS
    const outcome: Outcome = but?.[verb] ?? RUNNING[running].asked[verb]
    t.test(`${name}: ${verb} is ${outcome}`, async t => {
      const lab = new Lab([V1, V2, V3, RESHAPED])
      lab.accept(create, null, [SITE])
      lab.settle()
      // A swap is judged where nothing but what runs is in its way.
      if (verb === 'swap') staged(lab)
      const operation = make(lab)
      const command = ASK[verb]
      if (outcome !== 'accepted' && outcome !== 'supersedes' && outcome !== 'pauses') {
        t.equal(lab.refusal(command, null, [OTHER]).code, outcome)
        return
      }
      lab.accept(command, null, [OTHER])
      const after = operation === null ? null : lab.operation(operation)
      if (after === null) return
      const undone = verb === 'rollback' && after.kind !== 'start'
      if (outcome === 'supersedes') t.match(after.status, undone ? 'RolledBack' : 'Cancelled')
      else t.not(after.status, 'Cancelled')
      if (after.status === 'Cancelled') t.equal(after.error?.code, 'superseded')
    })
  }
}
