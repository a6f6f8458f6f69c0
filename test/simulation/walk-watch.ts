import { leaves } from '../../src/fabric/upgrade/roles.ts'
import type { DeploymentRecord, FabricState } from '../../src/fabric/state.ts'
import { placed as placedIn, type Placed } from './placed.ts'
import type { Rule } from './rules.ts'
import type { World } from './world.ts'

/** What must hold while a deployment is walked, and at the walk's end. */
export class WalkWatch {
  readonly #world: World
  /** Incarnations when a deployment's walk began; whether the mode ever let domains overlap. */
  readonly #walks = new Map<string, { before: Map<string, number>; mayOverlap: boolean; downBefore: Set<string> }>()
  /** Instances that had not moved when a rollback began. */
  readonly #unmoved = new Map<string, Map<string, number>>()
  /** Instances that were removed since their deployment's walk began. */
  readonly #removed = new Set<string>()

  constructor(world: World) {
    this.#world = world
  }

  /** A commit takes instances away. */
  removed(key: string): void {
    this.#removed.add(key)
  }

  committed(before: DeploymentRecord | undefined, after: DeploymentRecord, state: FabricState, old: FabricState): void {
    const { upgrade } = after
    const all = placedIn(state, after.id)
    if (upgrade === null) {
      if (before?.upgrade != null && after.state !== 'deleting') {
        for (const { key, role, instance, beside } of all) {
          if (beside || instance.next === 'remove') continue
          // A drained node's instances may be on their way meanwhile.
          if (instance.spec === role.target && (instance.nextSpec ?? role.target) === role.target) continue
          this.#fail(
            'walk ends whole',
            `the walk of ${after.id} is over and ${key} is on ${instance.spec}, not ${role.target}`,
          )
        }
        for (const [key, incarnation] of this.#unmoved.get(after.id) ?? []) {
          const entry = all.find(candidate => candidate.key === key)
          // A scale beside it may have taken it away, and brought another of its name.
          if (entry === undefined || entry.instance.next === 'remove' || this.#removed.has(key)) continue
          if (entry.instance.incarnation !== incarnation)
            this.#fail('rollback touches moved', `the rollback restarted ${key}, which had not moved`)
        }
      }
      this.#walks.delete(after.id)
      for (const { key, instance } of all) if (instance.next !== 'remove') this.#removed.delete(key)
      this.#unmoved.delete(after.id)
      return
    }
    const others = Object.values(state.deployments).filter(
      other => other.service === after.service && other.upgrade !== null,
    )
    if (others.length > 1) this.#fail('one walk', `service ${after.service} has two walks at a time`)
    if (upgrade.direction === 'back' && before?.upgrade?.direction === 'forward') {
      // Peers spoke first in this very pass: what was told to stop by that is on its way.
      const told = new Set(all.filter(({ instance }) => instance.stage === 'stopping').map(({ key }) => key))
      const still = placedIn(old, after.id).filter(({ key, role, instance, beside }) => {
        if (beside || told.has(key)) return false
        const from = upgrade.roles[role.name]?.from
        // What the walk had brought goes, what it had begun to take away may have to start anew.
        if (leaves(upgrade, role.name, instance) || instance.next === 'remove') return false
        // What somebody had asked to be rebooted is, whatever is walked.
        return (
          from === undefined || (instance.spec === from && instance.nextSpec !== from && instance.stage !== 'stopping')
        )
      })
      this.#unmoved.set(after.id, new Map(still.map(({ key, instance }) => [key, instance.incarnation])))
    }
    // Suspended, everything is restarted; walked on, what had not moved may move.
    if (upgrade.direction === 'forward' || after.state !== 'running') this.#unmoved.delete(after.id)
    // Asked for again, a rollback starts afresh what did not start.
    if (before?.upgrade?.phase === 'halted' && upgrade.phase !== 'halted') this.#unmoved.delete(after.id)
    const known = this.#walks.get(after.id)
    const walk = known ?? {
      before: new Map(placedIn(old, after.id).map(({ key, instance }) => [key, instance.incarnation])),
      mayOverlap: false,
      downBefore: new Set<string>(),
    }
    this.#walks.set(after.id, walk)
    // Instances of a lost node go to others whatever is walked.
    if (Object.values(state.nodes).some(({ lost }) => lost === true)) {
      walk.mayOverlap = true
      this.#unmoved.delete(after.id)
    }
    for (const { key, instance } of placedIn(old, after.id)) {
      // Down, and not because of this walk: taken along it brings nothing down.
      const seen = state.observed.nodes[instance.node]?.instances[key]?.state
      const ails =
        instance.hopeless ||
        // Told of in the very input with which the walk began.
        seen === 'cycling' ||
        seen === 'failed' ||
        (instance.next === 'remove' && instance.stage !== 'serving') ||
        (known === undefined && instance.stage !== 'serving')
      if (ails) walk.downBefore.add(key)
      else if (instance.stage === 'serving') walk.downBefore.delete(key)
    }
    if (upgrade.overlap === true) walk.mayOverlap = true
    // Suspended and started again, all are down because of that.
    if (after.state !== 'running')
      for (const { key, instance } of all) if (instance.stage !== 'serving') walk.downBefore.add(key)
    if (upgrade.mode === 'simultaneous' || upgrade.mode.startsWith('unmonitored')) walk.mayOverlap = true
    this.#gate(before, after, state, placedIn(old, after.id))
    const down = new Set(
      all
        .filter(({ key, instance, beside }) => {
          if (beside) return false
          const restarting =
            instance.stage === 'draining' || instance.stage === 'retiring' || instance.stage === 'stopping'
          if (walk.downBefore.has(key)) return false
          if (restarting) return instance.next === 'restart'
          // What was not there before is more, not less: nothing is down because it starts.
          const moved = instance.incarnation > (walk.before.get(key) ?? instance.incarnation)
          return instance.stage === 'starting' && moved && !(instance.hopeless && upgrade.direction === 'back')
        })
        .map(({ instance }) => instance.upgradeDomain),
    )
    if (down.size > 1 && !walk.mayOverlap)
      this.#fail('one domain', `${after.id}: domains ${[...down].join(' and ')} are down together`)
  }

  /** A gated mode leaves a domain only on what was seen since this controller started. `all`: as they were until then. */
  #gate(before: DeploymentRecord | undefined, after: DeploymentRecord, state: FabricState, all: Placed[]): void {
    const [was, is] = [before?.upgrade, after.upgrade]
    if (was == null || is === null || was.direction !== 'forward' || is.direction !== 'forward') return
    if (is.position <= was.position || is.mode.startsWith('unmonitored')) return
    // What went along before its domain's turn, because it was down anyway, is looked at when that comes.
    const walked = is.domains.slice(0, is.position)
    // Scaled away in this very commit.
    const going = placedIn(state, after.id).filter(({ instance }) => instance.next === 'remove')
    const leaving = new Set(going.map(({ key }) => key))
    for (const { key, role, instance } of all) {
      if (is.roles[role.name]?.to !== instance.spec || instance.next === 'remove') continue
      if (!walked.includes(instance.upgradeDomain) || leaving.has(key)) continue
      // What is not there at the end holds up nothing.
      if (leaves(is, role.name, instance)) continue
      if (state.observed.nodes[instance.node]?.instances[key]?.state === 'ready') continue
      this.#fail('health gate', `the walk of ${after.id} went on and ${key} was not seen ready`)
    }
  }

  #fail(rule: Rule, message: string): never {
    this.#world.fail(rule, message)
  }
}
