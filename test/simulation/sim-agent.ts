import type { AssignedInstance, Assignment, ObservedState } from '../../src/contracts/assignment.ts'
import { compareRevisions, type Revision } from '../../src/contracts/revision.ts'
import { Dialler } from './dialler.ts'
import type { Link } from './link.ts'
import { fresh, natureOf, observe, targetOf, type Local } from './local-process.ts'
import type { Prng } from './prng.ts'
import type { SimController } from './sim-controller.ts'
import { SimPackages } from './sim-packages.ts'
import type { World } from './world.ts'

/** A node's agent: level-triggered by the newest assignment, reporting whole observations now and then. */
export class SimAgent {
  readonly node: string
  /** As its node declares it (Service Fabric's way), or null. */
  readonly upgradeDomain: number | null
  readonly dialler: Dialler
  readonly dice: Prng
  readonly #world: World
  readonly #controller: SimController
  readonly #instances = new Map<string, Local>()
  readonly #packages: SimPackages
  #applied: Revision | null = null
  #reporting = false
  /** The agent process itself; role processes go on without it. */
  #up = true
  #life = 0

  constructor(world: World, controller: SimController, node: string, upgradeDomain: number | null) {
    this.#world = world
    this.#controller = controller
    this.node = node
    this.upgradeDomain = upgradeDomain
    this.dice = world.dice(`agent ${node}`)
    this.dialler = new Dialler(world, controller, this.dice, {
      onDial: link => this.#hello(link),
      onClosed: link => controller.agentClosed(this, link),
    })
    this.#packages = new SimPackages(world, this.dice, () => {
      this.#reconsiderAll()
      this.#report()
    })
  }

  #hello(link: Link): void {
    const applied = this.#applied
    link.toController.send(() => this.#controller.agentHello(this, link, applied))
    this.#report()
  }

  /** The agent dies; its role processes go on, and the next agent adopts them. */
  agentCrashed(ms: number, cut: { controllerMs: number; flushed: boolean }): void {
    if (!this.#up) return
    this.#up = false
    this.#life += 1
    this.#reporting = false
    this.dialler.hangUp(cut.controllerMs, cut.flushed)
    this.#back(ms)
  }

  /** The machine went down: all its processes are gone, the agent starts anew. */
  nodeRebooted(ms: number): void {
    for (const [key, local] of this.#instances) {
      local.generation += 1
      if (local.alive) this.#end(key, local, false)
      local.state = 'stopped'
    }
    this.#up = false
    this.#life += 1
    this.#reporting = false
    this.#packages.forgetFetches()
    this.dialler.hangUp(this.dice.between(0, 2000), false)
    this.#back(ms)
  }

  #back(ms: number): void {
    const life = this.#life
    this.#world.after(ms, () => {
      if (this.#life !== life) return
      this.#up = true
      this.#reconsiderAll()
      this.#packages.refetch()
      this.dialler.redial()
    })
  }

  /** A push of the controller has arrived. */
  receive(assignment: Assignment): void {
    if (!this.#up) return
    if (this.#applied !== null && compareRevisions(assignment.revision, this.#applied) < 0) {
      const [told, before] = [assignment.revision, this.#applied]
      this.#world.fail(
        'newest level wins',
        `agent ${this.node} was sent ${told.term}.${told.n} after ${before.term}.${before.n}`,
      )
    }
    this.#applied = assignment.revision
    const listed = new Set<string>()
    for (const wanted of assignment.instances) {
      listed.add(wanted.key)
      const local = this.#instances.get(wanted.key) ?? fresh()
      this.#instances.set(wanted.key, local)
      const before = local.wanted?.incarnation ?? local.incarnation
      if (wanted.incarnation < before) {
        this.#world.fail('incarnation grows', `${wanted.key}: from ${before} to ${wanted.incarnation}`)
      }
      local.wanted = wanted
    }
    for (const [key, local] of this.#instances) if (!listed.has(key)) local.wanted = null
    this.#packages.want(assignment.packages)
    this.#reconsiderAll()
    this.#report()
  }

  // What fate does to its processes: each answers what it did, or null

  /** A random instance dies by itself. */
  crashOne(dice: Prng): string | null {
    const live = [...this.#instances].filter(([, local]) => local.alive && local.state !== 'stopping')
    if (live.length === 0) return null
    const [key, local] = dice.pick(live)
    this.#die(key, local)
    return targetOf(key, local)
  }

  /** A random ready instance does not answer its probe for a while, perhaps time and again. */
  hangOne(dice: Prng, times: number): string | null {
    const ready = [...this.#instances].filter(([, local]) => local.state === 'ready')
    if (ready.length === 0) return null
    const [key, local] = dice.pick(ready)
    this.#flap(local, times, dice)
    return targetOf(key, local)
  }

  #flap(local: Local, times: number, dice: Prng): void {
    const { generation } = local
    const show = (state: ObservedState, then: () => void): void => {
      this.#show(local, state)
      this.#world.after(dice.between(100, 4000), () => {
        if (local.generation === generation) then()
      })
    }
    show('unresponsive', () => {
      show('ready', () => {
        if (times > 1 && local.state === 'ready' && !this.#world.calm) this.#flap(local, times - 1, dice)
      })
    })
  }

  /** Lives, and answers no more until it is healed. */
  #sicken(local: Local): void {
    const { generation } = local
    const look = (): void => {
      if (local.generation !== generation) return
      if (this.#world.healed) this.#show(local, 'ready')
      else this.#world.after(3000, look)
    }
    this.#show(local, 'unresponsive')
    look()
  }

  // Towards what is wanted

  #reconsiderAll(): void {
    for (const key of this.#instances.keys()) this.#reconsider(key)
  }

  #reconsider(key: string): void {
    const local = this.#instances.get(key)
    if (local === undefined || !this.#up) return
    const { wanted } = local
    const run = wanted?.desired === 'run'
    const newer = wanted !== null && wanted.incarnation > local.incarnation
    if (local.alive) {
      if (local.state !== 'stopping' && (!run || newer)) this.#stop(key, local)
      return
    }
    if (!run) {
      local.generation += 1
      if (wanted === null) this.#instances.delete(key)
      else this.#show(local, 'stopped')
      if (wanted === null) this.#report()
      return
    }
    if (newer) {
      Object.assign(local, { incarnation: wanted.incarnation, attempt: 0, deaths: 0, sticky: null })
      local.generation += 1
    } else if (local.state === 'backoff') return
    this.#prepare(key, local, wanted)
  }

  #prepare(key: string, local: Local, wanted: AssignedInstance): void {
    this.#show(local, 'preparing')
    if (!this.#packages.has(wanted.spec.package)) return
    const { generation } = local
    this.#world.after(this.dice.between(1, 100), () => {
      if (local.generation !== generation || local.state !== 'preparing' || local.alive || !this.#up) return
      local.attempt += 1
      local.alive = true
      local.generation += 1
      const target = targetOf(key, local)
      this.#controller.watch.processStarts(key, this.node)
      const lies = !this.#world.healed && wanted.spec.version.includes('lie')
      this.#world.processes.set(target, { node: this.node, key, alive: true, stoppedAsPlanned: false, lies })
      this.#show(local, 'starting')
      this.#rise(key, local, wanted)
    })
  }

  /** What a process does after it was started, by its version. */
  #rise(key: string, local: Local, wanted: AssignedInstance): void {
    const { generation } = local
    const later = (ms: number, what: () => void): void =>
      this.#world.after(ms, () => {
        if (local.generation === generation && local.alive && local.state !== 'stopping') what()
      })
    const nature = this.#world.healed ? 'good' : natureOf(wanted.spec.version)
    // After its one good start it comes no more.
    if (nature === 'bad' || (nature === 'sick' && local.attempt > 1)) {
      later(this.dice.between(5, 300), () => this.#die(key, local))
      return
    }
    if (nature === 'hang') {
      later(wanted.spec.startTimeoutMs, () => {
        local.sticky = 'failed'
        this.#die(key, local)
      })
      return
    }
    later(this.dice.between(10, this.dice.chance(0.1) ? 5000 : 600), () => {
      local.sticky = null
      local.deaths = 0
      this.#show(local, 'ready')
      if (nature === 'sick') {
        const ms = this.dice.between(0, this.dice.chance(0.5) ? 100 : 3000)
        if (this.dice.chance(0.5)) later(ms, () => this.#sicken(local))
        else later(ms, () => this.#die(key, local))
      }
      if (nature !== 'flap') return
      if (this.dice.chance(0.5)) this.#flap(local, 4, this.dice)
      else later(this.dice.between(100, 6000), () => this.#die(key, local))
    })
  }

  #die(key: string, local: Local): void {
    this.#end(key, local, false)
    local.deaths += 1
    if (local.deaths >= 3) local.sticky ??= 'cycling'
    local.generation += 1
    const { generation } = local
    this.#show(local, 'backoff')
    this.#world.after(Math.min(8000, 200 * 2 ** local.deaths), () => {
      if (local.generation !== generation || local.state !== 'backoff') return
      local.state = 'stopped'
      this.#reconsider(key)
    })
    this.#reconsider(key)
  }

  #stop(key: string, local: Local): void {
    const target = targetOf(key, local)
    this.#controller.watch.processStops(target)
    local.generation += 1
    const { generation } = local
    this.#show(local, 'stopping')
    const process = this.#world.processes.get(target)
    if (process !== undefined) process.stoppedAsPlanned = true
    this.#world.after(this.dice.between(1, this.dice.chance(0.1) ? 6000 : 200), () => {
      if (local.generation !== generation) return
      this.#end(key, local, true)
      this.#show(local, 'stopped')
      this.#reconsider(key)
    })
  }

  #end(key: string, local: Local, planned: boolean): void {
    local.alive = false
    const process = this.#world.processes.get(targetOf(key, local))
    if (process === undefined) return
    process.alive = false
    process.stoppedAsPlanned ||= planned
    this.#controller.processEnded(targetOf(key, local))
  }

  #show(local: Local, state: ObservedState): void {
    if (local.state === state) return
    local.state = state
    this.#report()
  }

  /** Sends what is here now, a little later, and all changes until then with it. */
  #report(): void {
    if (this.#reporting || this.dialler.link === null || !this.#up) return
    this.#reporting = true
    const { link } = this.dialler
    const life = this.#life
    this.#world.after(this.dice.between(0, this.dice.chance(0.05) ? 1500 : 30), () => {
      if (this.#life !== life) return
      this.#reporting = false
      if (this.dialler.link !== link) {
        this.#report()
        return
      }
      const message = {
        type: 'observed' as const,
        revision: this.#applied,
        instances: [...this.#instances].map(([key, local]) => observe(key, local)),
        ...this.#packages.told,
      }
      link.toController.send(() => this.#controller.fromAgent(this, link, message))
    })
  }
}
