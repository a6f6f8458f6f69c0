import type {
  AssignedInstance,
  Assignment,
  InstanceObservation,
  ObservedState,
} from '../../src/contracts/assignment.ts'
import { compareRevisions, type Revision } from '../../src/contracts/revision.ts'
import type { SimController } from './sim-controller.ts'
import type { World } from './world.ts'

interface Local {
  incarnation: number
  attempt: number
  state: ObservedState
  alive: boolean
  deaths: number
  sticky: 'cycling' | 'failed' | null
  wanted: AssignedInstance | null
  /** Grows when what was planned for it no longer counts. */
  generation: number
}

/** A node's agent: level-triggered by the newest assignment, reporting whole observations now and then. */
export class SimAgent {
  readonly node: string
  readonly #world: World
  readonly #controller: SimController
  readonly #instances = new Map<string, Local>()
  readonly #packages = new Set<string>()
  #fetching = new Set<string>()
  #packageErrors: Readonly<Record<string, string>> = {}
  #wantedPackages: readonly string[] = []
  #applied: Revision | null = null
  #reporting = false
  /** Of the connection; null while there is none. */
  #link: number | null = null
  #away = false

  constructor(world: World, controller: SimController, node: string) {
    this.#world = world
    this.#controller = controller
    this.node = node
  }

  connect(): void {
    if (this.#link !== null || this.#away || !this.#controller.up) return
    this.#link = this.#controller.connectAgent(this)
    this.#report()
  }

  /** The controller is gone, or the link broke. */
  disconnected(): void {
    this.#link = null
    this.#world.after(this.#world.random.between(5, this.#world.calm ? 200 : 1500), () => this.connect())
  }

  /** Cut off from the controller for a while; its processes go on. */
  partition(ms: number): void {
    const link = this.#link
    if (link === null) return
    this.#world.log(`node ${this.node} is cut off for ${Math.round(ms)} ms`)
    this.#link = null
    this.#controller.agentLinkBroke(this, link)
    this.#away = true
    this.#world.after(ms, () => {
      this.#away = false
      this.connect()
    })
  }

  breakLink(): void {
    if (this.#link === null) return
    const link = this.#link
    this.#link = null
    this.#controller.agentLinkBroke(this, link)
    this.disconnected()
  }

  /** A push of the controller has arrived. */
  receive(assignment: Assignment): void {
    if (this.#applied !== null && compareRevisions(assignment.revision, this.#applied) < 0) {
      this.#world.fail(`agent ${this.node} was sent revision ${show(assignment.revision)} after ${show(this.#applied)}`)
    }
    this.#applied = assignment.revision
    this.#wantedPackages = assignment.packages
    const listed = new Set<string>()
    for (const wanted of assignment.instances) {
      listed.add(wanted.key)
      const local = this.#instances.get(wanted.key) ?? fresh()
      this.#instances.set(wanted.key, local)
      const before = local.wanted?.incarnation ?? local.incarnation
      if (wanted.incarnation < before) {
        this.#world.fail(`${wanted.key}: incarnation went from ${before} to ${wanted.incarnation}`)
      }
      local.wanted = wanted
    }
    for (const [key, local] of this.#instances) if (!listed.has(key)) local.wanted = null
    for (const digest of this.#packages) if (!assignment.packages.includes(digest)) this.#packages.delete(digest)
    for (const digest of assignment.packages) this.#fetch(digest)
    for (const key of this.#instances.keys()) this.#reconsider(key)
    this.#report()
  }

  /** A random instance dies by itself. */
  crashOne(): void {
    const live = [...this.#instances].filter(([, local]) => local.alive && local.state !== 'stopping')
    if (live.length === 0) return
    const [key, local] = this.#world.random.pick(live)
    this.#world.log(`${key}#${local.incarnation}.${local.attempt} crashes`)
    this.#die(key, local)
  }

  /** A random ready instance does not answer its probe for a while. */
  hangOne(): void {
    const ready = [...this.#instances].filter(([, local]) => local.state === 'ready')
    if (ready.length === 0) return
    const [key, local] = this.#world.random.pick(ready)
    const { generation } = local
    this.#show(key, local, 'unresponsive')
    this.#world.after(this.#world.random.between(100, 4000), () => {
      if (local.generation === generation && local.state === 'unresponsive') this.#show(key, local, 'ready')
    })
  }

  /** The machine went down: all processes are gone, the agent starts anew. */
  rebooted(): void {
    for (const [key, local] of this.#instances) {
      local.generation += 1
      if (local.alive) this.#end(key, local, false)
      local.state = 'stopped'
    }
    this.#fetching = new Set()
    this.#reporting = false
    this.#link = null
    this.#world.after(this.#world.random.between(50, 500), () => {
      for (const key of this.#instances.keys()) this.#reconsider(key)
      for (const digest of this.#wantedPackages) this.#fetch(digest)
      this.connect()
    })
  }

  #fetch(digest: string): void {
    if (this.#packages.has(digest) || this.#fetching.has(digest)) return
    const fetching = this.#fetching
    fetching.add(digest)
    this.#world.after(this.#world.random.between(5, 800), () => {
      if (!fetching.delete(digest) || fetching !== this.#fetching || !this.#wantedPackages.includes(digest)) return
      if (!this.#world.calm && this.#world.random.chance(0.03)) {
        this.#packageErrors = { ...this.#packageErrors, [digest]: 'could not be fetched' }
        this.#report()
        this.#world.after(1000, () => this.#fetch(digest))
        return
      }
      const { [digest]: _mended, ...errors } = this.#packageErrors
      this.#packageErrors = errors
      this.#packages.add(digest)
      for (const key of this.#instances.keys()) this.#reconsider(key)
      this.#report()
    })
  }

  #reconsider(key: string): void {
    const local = this.#instances.get(key)
    if (local === undefined) return
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
      else this.#show(key, local, 'stopped')
      if (wanted === null) this.#report()
      return
    }
    if (newer) {
      Object.assign(local, { incarnation: wanted.incarnation, attempt: 0, deaths: 0, sticky: null })
      local.generation += 1
    } else if (local.state === 'backoff' || local.state === 'preparing') {
      if (local.state === 'preparing') this.#prepare(key, local, wanted)
      return
    }
    this.#prepare(key, local, wanted)
  }

  #prepare(key: string, local: Local, wanted: AssignedInstance): void {
    this.#show(key, local, 'preparing')
    if (!this.#packages.has(wanted.spec.package)) return
    const { generation } = local
    this.#world.after(this.#world.random.between(1, 100), () => {
      if (local.generation !== generation || local.state !== 'preparing' || local.alive) return
      local.attempt += 1
      local.alive = true
      local.generation += 1
      this.#world.processes.set(target(key, local), { alive: true, stoppedAsPlanned: false })
      this.#show(key, local, 'starting')
      this.#rise(key, local, wanted)
    })
  }

  /** What a process does after it was started, by its version. */
  #rise(key: string, local: Local, wanted: AssignedInstance): void {
    const { generation } = local
    const { random, healed } = this.#world
    const { version, startTimeoutMs } = wanted.spec
    const later = (ms: number, what: () => void): void =>
      this.#world.after(ms, () => {
        if (local.generation === generation && local.alive && local.state !== 'stopping') what()
      })
    if (!healed && version.includes('bad')) later(random.between(5, 300), () => this.#die(key, local))
    else if (!healed && version.includes('hang')) {
      later(startTimeoutMs, () => {
        local.sticky = 'failed'
        this.#die(key, local)
      })
    } else {
      later(random.between(10, random.chance(0.1) ? 5000 : 600), () => {
        local.sticky = null
        local.deaths = 0
        this.#show(key, local, 'ready')
      })
    }
  }

  #die(key: string, local: Local): void {
    this.#end(key, local, false)
    local.deaths += 1
    if (local.deaths >= 3) local.sticky ??= 'cycling'
    local.generation += 1
    const { generation } = local
    this.#show(key, local, 'backoff')
    this.#world.after(Math.min(8000, 200 * 2 ** local.deaths), () => {
      if (local.generation !== generation || local.state !== 'backoff') return
      local.state = 'stopped'
      this.#reconsider(key)
    })
    this.#reconsider(key)
  }

  #stop(key: string, local: Local): void {
    this.#controller.checkStop(target(key, local))
    local.generation += 1
    const { generation } = local
    this.#show(key, local, 'stopping')
    const process = this.#world.processes.get(target(key, local))
    if (process !== undefined) process.stoppedAsPlanned = true
    this.#world.after(this.#world.random.between(1, this.#world.random.chance(0.1) ? 6000 : 200), () => {
      if (local.generation !== generation) return
      this.#end(key, local, true)
      this.#show(key, local, 'stopped')
      this.#reconsider(key)
    })
  }

  #end(key: string, local: Local, planned: boolean): void {
    local.alive = false
    const process = this.#world.processes.get(target(key, local))
    if (process === undefined) return
    process.alive = false
    process.stoppedAsPlanned ||= planned
    this.#controller.processEnded(target(key, local))
  }

  #show(_key: string, local: Local, state: ObservedState): void {
    if (local.state === state) return
    local.state = state
    this.#report()
  }

  /** Sends what is here now, a little later, and all changes until then with it. */
  #report(): void {
    if (this.#reporting || this.#link === null) return
    this.#reporting = true
    const link = this.#link
    this.#world.after(this.#world.random.between(0, this.#world.random.chance(0.05) ? 1500 : 30), () => {
      this.#reporting = false
      if (this.#link !== link) {
        this.#report()
        return
      }
      this.#controller.fromAgent(this, link, {
        revision: this.#applied,
        instances: [...this.#instances].map(([key, local]) => observe(key, local)),
        packages: [...this.#packages],
        packageErrors: this.#packageErrors,
      })
    })
  }
}

function fresh(): Local {
  return {
    incarnation: 0,
    attempt: 0,
    state: 'stopped',
    alive: false,
    deaths: 0,
    sticky: null,
    wanted: null,
    generation: 0,
  }
}

function observe(key: string, local: Local): InstanceObservation {
  const incarnation = local.alive ? local.incarnation : (local.wanted?.incarnation ?? local.incarnation)
  const busy = local.state === 'preparing' || local.state === 'starting' || local.state === 'backoff'
  return {
    key,
    incarnation,
    ...(local.wanted?.spec.id === undefined ? {} : { spec: local.wanted.spec.id }),
    attempt: incarnation === local.incarnation ? local.attempt : 0,
    state: busy && local.sticky !== null ? local.sticky : local.state,
    version: local.wanted?.spec.version ?? '',
    host: '127.0.0.1',
    ports: local.alive
      ? Object.fromEntries((local.wanted?.spec.endpoints ?? []).map(({ name }) => [name, 20_000]))
      : {},
    pid: local.alive ? 1 : null,
    restarts: Math.max(0, local.attempt - 1),
    since: 0,
    detail: local.state,
  }
}

function target(key: string, local: Local): string {
  return `${key}#${local.incarnation}.${local.attempt}`
}

function show(revision: Revision): string {
  return `${revision.term}.${revision.n}`
}
