import type { Applied } from '../../src/fabric/apply.ts'
import type { Input } from '../../src/fabric/input.ts'
import {
  processesOf,
  type DeploymentRecord,
  type FabricState,
  type InstanceRecord,
  type RoleRecord,
} from '../../src/fabric/state.ts'
import { instanceKey } from '../../src/fabric/keys.ts'
import type { CapacityFloor } from '../../src/model/definition.ts'
import { REAL_RULES, type FabricRules } from './fabric-rules.ts'
import type { Rule } from './rules.ts'

/** The rules with one of them broken on purpose: what the simulator is worth is what of this it notices. */
export interface Mutant {
  /** The rule that is broken, in words. */
  readonly breaks: string
  /** What is expected to notice. */
  readonly caughtBy: readonly Rule[]
  readonly rules: FabricRules
}

/** Breaks what goes in. */
function hearing(change: (input: Input, state: FabricState) => Input): FabricRules {
  return { ...REAL_RULES, apply: (state, input, now) => REAL_RULES.apply(state, change(input, state), now) }
}

/** Breaks what comes out of a change: the records as they are committed. */
function deciding(change: (after: FabricState, before: FabricState, input: Input) => FabricState): FabricRules {
  const apply = (state: FabricState, input: Input, now: Parameters<FabricRules['apply']>[2]): Applied => {
    const applied = REAL_RULES.apply(state, input, now)
    return applied.changed ? { ...applied, state: change(applied.state, state, input) } : applied
  }
  return { ...REAL_RULES, apply }
}

function withInstances(
  state: FabricState,
  change: (instance: InstanceRecord, role: RoleRecord) => InstanceRecord,
): FabricState {
  const roles = Object.fromEntries(
    Object.entries(state.roles).map(([key, role]) => [
      key,
      { ...role, instances: role.instances.map(instance => change(instance, role)) },
    ]),
  )
  return { ...state, roles }
}

function withDeployments(state: FabricState, change: (record: DeploymentRecord) => DeploymentRecord): FabricState {
  const entries = Object.entries(state.deployments).map(([id, record]) => [id, change(record)] as const)
  return { ...state, deployments: Object.fromEntries(entries) }
}

export const MUTANTS: Readonly<Record<string, Mutant>> = {
  'silence is an exit': {
    breaks: 'a silent proxy is waited for for ever: here one whose link breaks counts as gone',
    caughtBy: ['drained before stop', 'no traffic to the stopped', 'requests not cut', 'told is told'],
    rules: hearing(input =>
      input.kind === 'proxy-disconnected' ? { kind: 'proxy-exited', incarnation: input.incarnation } : input,
    ),
  },
  'drain waits for nothing': {
    breaks: 'an instance leaves the table when nothing is in flight on it: here as soon as it drains',
    caughtBy: ['drained before stop', 'requests not cut'],
    rules: deciding(after =>
      withInstances(after, instance =>
        instance.stage === 'draining' ? { ...instance, stage: 'retiring', published: null } : instance,
      ),
    ),
  },
  'stop before acknowledgement': {
    breaks: 'a process is told to stop when every proxy has a table without it: here as soon as it is out of the table',
    caughtBy: ['drained before stop', 'no traffic to the stopped'],
    rules: {
      ...REAL_RULES,
      projectAssignments: state => {
        const eager = withInstances(state, instance =>
          instance.stage === 'retiring' ? { ...instance, stage: 'stopping' } : instance,
        )
        return REAL_RULES.projectAssignments(eager)
      },
    },
  },
  'started is ready': {
    breaks: 'what enters the table was seen ready: here a process that was started is taken for ready',
    caughtBy: ['ready before traffic', 'health gate'],
    rules: {
      ...REAL_RULES,
      apply: (state, input, now) => {
        if (input.kind !== 'agent-observed') return REAL_RULES.apply(state, input, now)
        const instances = input.instances.map(seen =>
          seen.state === 'starting' ? { ...seen, state: 'ready' as const } : seen,
        )
        const applied = REAL_RULES.apply(state, { ...input, instances }, now)
        return { ...applied, state: seenAs(applied.state, input) }
      },
    },
  },
  'no health gate': {
    breaks: 'the walk leaves a domain when its instances are ready: here once they are being started',
    caughtBy: ['health gate', 'one domain'],
    rules: deciding(after =>
      withDeployments(after, record => {
        const { upgrade } = record
        if (upgrade?.direction !== 'forward' || !hasStarted(after, record)) return record
        return { ...record, upgrade: { ...upgrade, phase: 'waiting', position: upgrade.position + 1 } }
      }),
    ),
  },
  'crash loops are not heard of': {
    breaks: 'who waits for an instance is told when it cannot start: here it is starting for ever',
    caughtBy: ['walk says why'],
    rules: hearing(input => {
      if (input.kind !== 'agent-observed') return input
      const instances = input.instances.map(seen =>
        seen.state === 'cycling' || seen.state === 'failed' ? { ...seen, state: 'backoff' as const } : seen,
      )
      return { ...input, instances }
    }),
  },
  'two domains at a time': {
    breaks: 'one domain goes down at a time: here the walk takes the next one along',
    caughtBy: ['one domain', 'capacity floor'],
    rules: deciding(after =>
      withInstances(after, (instance, role) => {
        const upgrade = after.deployments[role.deployment]?.upgrade
        const to = upgrade?.roles[role.name]?.to
        if (upgrade?.direction !== 'forward' || upgrade.phase !== 'walking' || to === undefined) return instance
        if (instance.upgradeDomain !== upgrade.domains[upgrade.position + 1] || instance.stage !== 'serving')
          return instance
        if (instance.spec === to || instance.next !== null || instance.published === null) return instance
        return goingDown(after, instance, to)
      }),
    ),
  },
  'rollback restarts all': {
    breaks: 'a rollback touches what had moved: here what had not is restarted with it',
    caughtBy: ['rollback touches moved', 'one domain'],
    rules: deciding((after, before) =>
      withInstances(after, (instance, role) => {
        const now = after.deployments[role.deployment]?.upgrade
        const was = before.deployments[role.deployment]?.upgrade
        if (now?.direction !== 'back' || was?.direction !== 'forward') return instance
        const ends = now.roles[role.name]
        if (instance.next !== null || instance.stage !== 'serving' || instance.published === null) return instance
        if (ends === undefined || instance.spec !== ends.from) return instance
        return goingDown(after, instance, instance.spec)
      }),
    ),
  },
  'walk ends early': {
    breaks: 'after the walk all instances of a role are on one version: here it forgets its last domain',
    caughtBy: ['walk ends whole'],
    rules: deciding((after, before) =>
      withDeployments(after, record => {
        const { upgrade } = record
        if (upgrade === null || before.deployments[record.id]?.upgrade != null || upgrade.domains.length < 2)
          return record
        return { ...record, upgrade: { ...upgrade, domains: upgrade.domains.slice(0, -1) } }
      }),
    ),
  },
  'half a swap': {
    breaks: 'a swap moves all addresses of both slots together: here those of staging stay behind in the table',
    caughtBy: ['address of its slot'],
    rules: {
      ...REAL_RULES,
      projectRouting: (state, now) => {
        const table = REAL_RULES.projectRouting(state, now)
        const listeners = table.listeners.map(listener => {
          const other = table.listeners.find(
            ({ service, slot, endpoint, pool }) =>
              service === listener.service && slot === 'production' && endpoint === listener.endpoint && pool !== null,
          )
          return listener.slot === 'staging' && other !== undefined ? { ...listener, pool: other.pool } : listener
        })
        return { ...table, listeners }
      },
    },
  },
  'swap without its way back': {
    breaks: 'a swap exchanges two deployments: here production keeps its own',
    caughtBy: ['swap moves all', 'address of its slot'],
    rules: deciding((after, before) => {
      const services = Object.fromEntries(
        Object.entries(after.services).map(([name, service]) => {
          const was = before.services[name]?.slots
          const swapped = was !== undefined && was.staging !== null && service.slots.production === was.staging
          if (!swapped || was.production === null) return [name, service]
          return [name, { ...service, slots: { production: was.staging, staging: was.staging } }]
        }),
      )
      return { ...after, services }
    }),
  },
  'floors are no floors': {
    breaks: "a domain goes down only while its roles' capacity floors hold: here nobody knows of any",
    caughtBy: ['capacity floor'],
    rules: {
      ...REAL_RULES,
      apply: (state, input, now) => {
        const applied = REAL_RULES.apply(
          withFloors(state, () => null),
          input,
          now,
        )
        if (!applied.changed) return { ...applied, state: { ...state, observed: applied.state.observed } }
        const { releases } = applied.state
        const floorOf = (role: string, digest: string): CapacityFloor | null =>
          releases[digest]?.definition.roles[role]?.capacityFloor ?? null
        return { ...applied, state: withFloors(applied.state, floorOf) }
      },
    },
  },
  'repetition is a new request': {
    breaks: 'a request repeated under its key is the same operation: here keys are forgotten',
    caughtBy: ['same key, same operation'],
    rules: hearing(input => (input.kind === 'command' ? { ...input, idempotencyKey: null } : input)),
  },
  'term stays': {
    breaks: "a new controller's term is above all before it: here it goes on in the old one",
    caughtBy: ['newest level wins', 'revision grows'],
    rules: deciding((after, before, input) => {
      if (input.kind !== 'restored') return after
      const { term, n } = before.fabric.revision
      return { ...after, fabric: { ...after.fabric, revision: { term, n: Math.max(0, n - 1) } } }
    }),
  },
  'lost is gone': {
    breaks: 'a lost node is taken back when what was moved has stopped there: here nobody hears of that',
    caughtBy: ['process once', 'lost node'],
    rules: hearing((input, state) => {
      if (input.kind !== 'agent-observed' || state.nodes[input.node]?.lost !== true) return input
      const rightful = new Set(
        Object.values(state.roles).flatMap(({ deployment, instances }) =>
          instances.flatMap(instance =>
            processesOf(instance)
              .filter(({ node }) => node === input.node)
              .map(process => `${instanceKey(deployment, process)}#${process.incarnation}`),
          ),
        ),
      )
      const instances = input.instances.filter(({ key, incarnation }) => rightful.has(`${key}#${incarnation}`))
      return { ...input, instances }
    }),
  },
  'forgetful journal': {
    breaks: 'all that is committed is journaled: here not what an operator waits for',
    caughtBy: ['commit before effect'],
    rules: { ...REAL_RULES, serialise: state => REAL_RULES.serialise({ ...state, requests: {} }) },
  },
}

/** Of the domain that is walked nothing is left to go down. */
function hasStarted(state: FabricState, { id, upgrade }: DeploymentRecord): boolean {
  if (upgrade === null || (upgrade.phase !== 'walking' && upgrade.phase !== 'verifying')) return false
  const domain = upgrade.domains[upgrade.position]
  return Object.values(state.roles)
    .filter(({ deployment }) => deployment === id)
    .every(role => {
      const to = upgrade.roles[role.name]?.to
      if (to === undefined) return true
      return role.instances.every(
        ({ upgradeDomain, spec, next }) => upgradeDomain !== domain || (spec === to && next === null),
      )
    })
}

/** As the rules begin a way down. */
function goingDown({ fabric }: FabricState, instance: InstanceRecord, nextSpec: string): InstanceRecord {
  const published = instance.published === null ? null : { ...instance.published, membership: 'draining' as const }
  const anchor = fabric.moment === null ? instance.anchor : { ...fabric.moment, carriedMs: 0 }
  return { ...instance, stage: 'draining', next: 'restart', nextSpec, published, since: fabric.revision, anchor }
}

/** What was really seen stays what was seen. */
function seenAs(state: FabricState, input: Extract<Input, { kind: 'agent-observed' }>): FabricState {
  const node = state.observed.nodes[input.node]
  if (node === undefined) return state
  const instances = Object.fromEntries(input.instances.map(seen => [seen.key, seen]))
  return {
    ...state,
    observed: { ...state.observed, nodes: { ...state.observed.nodes, [input.node]: { ...node, instances } } },
  }
}

function withFloors(state: FabricState, floorOf: (role: string, digest: string) => CapacityFloor | null): FabricState {
  const roles = Object.entries(state.roles).map(([key, role]) => {
    const specs = Object.entries(role.specs).map(([id, spec]) => {
      const definition = { ...spec.definition, capacityFloor: floorOf(role.name, spec.package) }
      return [id, { ...spec, definition }] as const
    })
    return [key, { ...role, specs: Object.fromEntries(specs) }] as const
  })
  return { ...state, roles: Object.fromEntries(roles) }
}
