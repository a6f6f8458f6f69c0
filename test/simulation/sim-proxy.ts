import type { LedgerRow } from '../../src/contracts/ledger.ts'
import type { ListenerStatus, ProxyStatus } from '../../src/contracts/link.ts'
import { compareRevisions } from '../../src/contracts/revision.ts'
import type { RoutingTable } from '../../src/contracts/routing.ts'
import type { Link } from './link.ts'
import type { SimController } from './sim-controller.ts'
import type { World } from './world.ts'

type Count = { -readonly [K in keyof LedgerRow]: LedgerRow[K] }

/** One proxy with all its lives: at most one accepts, earlier ones may still be draining after a handover. */
export class SimProxies {
  readonly id: string
  readonly lives: SimProxy[] = []
  readonly #world: World
  readonly #controller: SimController
  #born = 0
  /** What a life leaves on disk for the next. */
  disk: RoutingTable | null = null

  constructor(world: World, controller: SimController, id: string) {
    this.#world = world
    this.#controller = controller
    this.id = id
    this.spawn()
  }

  /** A new life. One that takes over from a living one accepts nothing before it has its own table. */
  spawn(table = this.disk): void {
    this.#born += 1
    const life = new SimProxy(this.#world, this.#controller, this, `${this.id}-${this.#born}`, table)
    this.lives.push(life)
    life.connect()
    life.request()
  }

  get current(): SimProxy | undefined {
    return this.lives.findLast(life => life.alive)
  }

  /** Dies; a supervisor starts the next one. */
  crash(): void {
    const life = this.current
    if (life === undefined) return
    this.#world.log(`proxy ${life.incarnation} dies`)
    life.die()
    this.#world.after(this.#world.random.between(50, 1000), () => {
      if (this.current === undefined || this.current.handedOver) this.spawn()
    })
  }

  /** A planned replacement: the old one finishes what it has, then exits. */
  replace(): void {
    const old = this.current
    if (old === undefined || old.handedOver) return
    this.#world.log(`proxy ${old.incarnation} is replaced`)
    old.handedOver = true
    this.spawn(null)
    old.exitWhenDone()
  }

  /** The machine went down. */
  rebooted(): void {
    for (const life of this.lives) if (life.alive) life.die()
    this.#world.after(this.#world.random.between(50, 500), () => {
      if (this.current === undefined) this.spawn()
    })
  }
}

/** One incarnation of a proxy. */
export class SimProxy {
  readonly incarnation: string
  readonly bootId: string
  alive = true
  handedOver = false
  applied: RoutingTable | null
  readonly inFlight = new Map<string, number>()
  readonly family: SimProxies
  readonly #world: World
  readonly #controller: SimController
  readonly #bound = new Map<string, { asked: number; port: number }>()
  readonly #rows = new Map<string, Count>()
  #link: Link | null = null
  #statusDue = false

  constructor(
    world: World,
    controller: SimController,
    family: SimProxies,
    incarnation: string,
    table: RoutingTable | null,
  ) {
    this.#world = world
    this.#controller = controller
    this.family = family
    this.incarnation = incarnation
    this.bootId = world.now().bootId
    this.applied = table
  }

  connect(): void {
    if (!this.alive || this.#link !== null || !this.#controller.up) return
    this.#link = this.#controller.connectProxy(this)
  }

  disconnected(): void {
    this.#link = null
    if (!this.alive) return
    this.#world.after(this.#world.random.between(5, this.#world.calm ? 200 : 1500), () => this.connect())
  }

  breakLink(): void {
    const link = this.#link
    if (link === null) return
    this.#link = null
    this.#controller.proxyLinkBroke(this, link)
    this.disconnected()
  }

  die(): void {
    this.alive = false
    const link = this.#link
    this.#link = null
    if (link !== null) this.#controller.proxyLinkBroke(this, link)
  }

  exitWhenDone(): void {
    if (!this.alive) return
    if ([...this.inFlight.values()].some(count => count > 0)) {
      this.#world.after(100, () => this.exitWhenDone())
      return
    }
    this.die()
    this.family.current?.sawExit(this.incarnation)
  }

  /** After the hello on the same link; without a link the next hello says it. */
  sawExit(incarnation: string): void {
    this.#link?.send(() => this.#controller.proxyExited(incarnation))
  }

  get predecessors(): { incarnation: string; exited: boolean }[] {
    const { lives } = this.family
    return lives.slice(0, lives.indexOf(this)).map(life => ({ incarnation: life.incarnation, exited: !life.alive }))
  }

  /** A push has arrived: on disk and in every worker a little later. */
  receive(table: RoutingTable, link: Link): void {
    this.#world.after(this.#world.random.between(0, this.#world.random.chance(0.05) ? 400 : 10), () => {
      if (!this.alive) return
      if (this.applied !== null && compareRevisions(table.revision, this.applied.revision) < 0) {
        if (this.#link !== link) return
        this.#world.fail(`proxy ${this.incarnation} was sent an older table`)
      }
      this.#apply(table)
      if (this.#link !== link) return
      const listeners = this.#listen(table)
      const status = this.status()
      link.send(() => this.#controller.proxyAcknowledged(this, link, table.revision, listeners, status))
    })
  }

  status(): ProxyStatus {
    return {
      revision: this.applied?.revision ?? { term: 0, n: 0 },
      inFlight: Object.fromEntries([...this.inFlight].filter(([, count]) => count > 0)),
      ledger: { incarnation: this.incarnation, rows: [...this.#rows.values()].map(row => ({ ...row })) },
    }
  }

  /** Target keys in the table that this one goes by. */
  targets(): Set<string> {
    return new Set(
      Object.values(this.applied?.pools ?? {}).flatMap(pool => pool.targets.map(candidate => candidate.key)),
    )
  }

  /** A process is gone, and what was in flight on it. */
  dropTarget(key: string): void {
    if (this.inFlight.delete(key)) this.#statusSoon(0)
  }

  /** The next request of somebody, and all after it. */
  request(): void {
    if (!this.alive || this.handedOver) return
    const { random, calm } = this.#world
    if (calm) return
    this.#world.after(random.between(20, 400), () => this.request())
    const listener = this.applied === null ? undefined : this.applied.listeners[random.between(0, 20)]
    if (listener === undefined || listener.pool === null) return
    const pool = this.applied?.pools[listener.pool]
    if (pool === undefined)
      this.#world.fail(`listener ${listener.key} names a pool that is not there: ${listener.pool}`)
    const open = pool.targets.filter(candidate => candidate.state === 'in')
    if (open.length === 0) return
    const { key, version } = random.pick(open)
    const process = this.#world.processes.get(key)
    if (process === undefined) this.#world.fail(`a request was sent to ${key}, which never was`)
    if (process.stoppedAsPlanned) this.#world.fail(`a request was sent to ${key}, which was stopped as planned`)
    if (!process.alive) return
    const row = this.#row(listener.key, pool.deployment, version)
    row.arrived += 1
    this.inFlight.set(key, (this.inFlight.get(key) ?? 0) + 1)
    this.#statusSoon(250)
    const ms = random.chance(0.03) ? random.between(4000, 15_000) : random.between(5, 1500)
    this.#world.after(ms, () => {
      const count = this.inFlight.get(key)
      if (!this.alive || count === undefined || count === 0) return
      row.answered += 1
      this.inFlight.set(key, count - 1)
      this.#statusSoon(count === 1 ? 0 : 250)
    })
  }

  #row(vip: string, deployment: string, version: string): Count {
    const key = `${vip} ${deployment} ${version}`
    const known = this.#rows.get(key)
    if (known !== undefined) return known
    const row: Count = {
      vip,
      deployment,
      version,
      arrived: 0,
      answered: 0,
      refused: 0,
      clientGone: 0,
      held: 0,
      heldMaxMs: 0,
      replayed: 0,
      broken: {},
    }
    this.#rows.set(key, row)
    return row
  }

  #statusSoon(ms: number): void {
    if (this.#statusDue) return
    this.#statusDue = true
    this.#world.after(ms, () => {
      this.#statusDue = false
      const link = this.#link
      if (!this.alive || link === null) return
      const status = this.status()
      link.send(() => this.#controller.proxyStatus(this, link, status))
    })
  }

  #apply(table: RoutingTable): void {
    this.applied = table
    this.family.disk = table
    const here = this.targets()
    for (const [key, count] of this.inFlight) {
      if (here.has(key) || count === 0) continue
      this.#controller.checkCut(this, key, count)
      this.inFlight.delete(key)
    }
  }

  #listen(table: RoutingTable): ListenerStatus[] {
    const keys = new Set(table.listeners.map(listener => listener.key))
    for (const key of this.#bound.keys()) if (!keys.has(key)) this.#bound.delete(key)
    return table.listeners.map(({ key, host, port }) => {
      const before = this.#bound.get(key)
      if (before !== undefined && before.asked === port) return { key, port: before.port, error: null }
      if (this.#world.takenPorts.has(port)) {
        return { key, port: null, error: `EADDRINUSE: ${host}:${port} is in use` }
      }
      const bound = port === 0 ? this.#world.random.between(30_000, 39_999) : port
      this.#bound.set(key, { asked: port, port: bound })
      return { key, port: bound, error: null }
    })
  }
}
