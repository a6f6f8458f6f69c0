import type { FromProxy, ListenerStatus, ProxyStatus } from '../../src/contracts/link.ts'
import { compareRevisions } from '../../src/contracts/revision.ts'
import type { RoutingTable } from '../../src/contracts/routing.ts'
import { Dialler } from './dialler.ts'
import type { Link } from './link.ts'
import type { Prng } from './prng.ts'
import type { SimController } from './sim-controller.ts'
import { SimLedger } from './sim-ledger.ts'
import type { World } from './world.ts'

/** One proxy with all its lives: at most one accepts, earlier ones may still be draining after a handover. */
export class SimProxies {
  readonly id: string
  readonly lives: SimProxy[] = []
  readonly dice: Prng
  readonly #world: World
  readonly #controller: SimController
  #born = 0
  /** What a life leaves on disk for the next. */
  disk: RoutingTable | null = null

  constructor(world: World, controller: SimController, id: string) {
    this.#world = world
    this.#controller = controller
    this.id = id
    this.dice = world.dice(`proxy ${id}`)
    this.spawn()
  }

  /** A new life. One that takes over from a living one accepts nothing before it has its own table. */
  spawn(table = this.disk): void {
    this.#born += 1
    const life = new SimProxy(this.#world, this.#controller, this, `${this.id}-${this.#born}`, table)
    this.lives.push(life)
    life.dialler.dial()
    life.request()
  }

  get current(): SimProxy | undefined {
    return this.lives.findLast(life => life.alive)
  }

  /** Dies; a supervisor starts the next one, perhaps before the controller knows. */
  crash(dice: Prng): string | null {
    const life = this.current
    if (life === undefined) return null
    life.die(dice.chance(0.7) ? 0 : dice.between(0, 4000), dice.chance(0.5))
    this.#world.after(dice.between(50, 1000), () => {
      if (this.current === undefined || this.current.handedOver) this.spawn()
    })
    return life.incarnation
  }

  /** A planned replacement: the old one finishes what it has, then exits. */
  replace(): string | null {
    const old = this.current
    if (old === undefined || old.handedOver) return null
    old.handedOver = true
    this.spawn(null)
    old.exitWhenDone()
    return old.incarnation
  }

  /** The machine went down. */
  rebooted(): void {
    for (const life of this.lives) if (life.alive) life.die(0, false)
    this.#world.after(this.dice.between(50, 500), () => {
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
  readonly dialler: Dialler
  readonly #world: World
  readonly #controller: SimController
  readonly #dice: Prng
  readonly #bound = new Map<string, { asked: number; port: number }>()
  readonly #ledger = new SimLedger()
  #targets: ReadonlySet<string> = new Set()
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
    this.#dice = family.dice
    this.bootId = world.now().bootId
    this.applied = null
    if (table !== null) this.#take(table)
    this.dialler = new Dialler(world, controller, family.dice, {
      onDial: link => this.#hello(link),
      onClosed: link => controller.proxyClosed(this, link),
    })
  }

  #hello(link: Link): void {
    const { incarnation, bootId, predecessors } = this
    const applied = this.applied?.revision ?? null
    const hello = {
      type: 'hello',
      peer: 'proxy',
      id: this.family.id,
      incarnation,
      bootId,
      applied,
      predecessors,
    } as const
    link.toController.send(() => this.#controller.proxyHello(this, link, hello))
  }

  #say(link: Link, message: FromProxy): void {
    link.toController.send(() => this.#controller.fromProxy(this, link, message))
  }

  die(controllerMs: number, flushed: boolean): void {
    this.alive = false
    this.dialler.hangUp(controllerMs, flushed)
  }

  exitWhenDone(): void {
    if (!this.alive) return
    if ([...this.inFlight.values()].some(count => count > 0)) {
      this.#world.after(100, () => this.exitWhenDone())
      return
    }
    this.die(0, true)
    this.family.current?.sawExit(this.incarnation)
  }

  /** After the hello on the same link; without a link the next hello says it. */
  sawExit(incarnation: string): void {
    const { link } = this.dialler
    if (link !== null) this.#say(link, { type: 'predecessor', incarnation, exited: true })
  }

  get predecessors(): { incarnation: string; exited: boolean }[] {
    const { lives } = this.family
    return lives.slice(0, lives.indexOf(this)).map(life => ({ incarnation: life.incarnation, exited: !life.alive }))
  }

  /** A push has arrived: on disk and in every worker a little later. */
  receive(table: RoutingTable, link: Link): void {
    this.#world.after(this.#dice.between(0, this.#dice.chance(0.05) ? 400 : 10), () => {
      if (!this.alive) return
      if (this.applied !== null && compareRevisions(table.revision, this.applied.revision) < 0) {
        // Of a controller that is gone: refused.
        if (this.dialler.link !== link) return
        this.#world.fail('newest level wins', `proxy ${this.incarnation} was sent an older table`)
      }
      this.#apply(table)
      if (this.dialler.link !== link) return
      const listeners = this.#listen(table)
      this.#say(link, { type: 'ack', revision: table.revision, listeners, status: this.status() })
    })
  }

  status(): ProxyStatus {
    return {
      revision: this.applied?.revision ?? { term: 0, n: 0 },
      inFlight: Object.fromEntries([...this.inFlight].filter(([, count]) => count > 0)),
      ledger: { incarnation: this.incarnation, rows: this.#ledger.rows() },
    }
  }

  /** Target keys in the table that this one goes by. */
  targets(): ReadonlySet<string> {
    return this.#targets
  }

  /** A process is gone, and what was in flight on it. */
  dropTarget(key: string): void {
    if (!this.inFlight.delete(key)) return
    this.#ledger.broken(key)
    this.#statusSoon(0)
  }

  /** The next request of somebody, and all after it. */
  request(): void {
    if (!this.alive || this.handedOver || this.#world.calm) return
    const dice = this.#dice
    this.#world.after(dice.between(20, 400), () => this.request())
    const { applied } = this
    const listener = applied?.listeners[dice.between(0, 20)]
    if (applied === null || listener === undefined || listener.pool === null) return
    const pool = applied.pools[listener.pool]
    if (pool === undefined)
      this.#world.fail('address of its slot', `listener ${listener.key} names a pool that is not there`)
    const open = pool.targets.filter(candidate => candidate.state === 'in')
    if (open.length === 0) return
    const { key, version } = dice.pick(open)
    this.#controller.watch.requestSent(this, key)
    const process = this.#world.processes.get(key)
    if (process?.alive !== true) return
    const end = this.#ledger.arrived(key, { vip: listener.key, deployment: pool.deployment, version })
    this.inFlight.set(key, (this.inFlight.get(key) ?? 0) + 1)
    this.#statusSoon(250)
    const ms = dice.chance(0.03) ? dice.between(4000, 15_000) : dice.between(5, 1500)
    this.#world.after(ms, () => {
      const count = this.inFlight.get(key)
      if (!this.alive || count === undefined || count === 0 || !end(process.lies)) return
      this.inFlight.set(key, count - 1)
      this.#statusSoon(count === 1 ? 0 : 250)
    })
  }

  #statusSoon(ms: number): void {
    if (this.#statusDue) return
    this.#statusDue = true
    this.#world.after(ms, () => {
      this.#statusDue = false
      const { link } = this.dialler
      if (this.alive && link !== null) this.#say(link, { type: 'status', status: this.status() })
    })
  }

  #take(table: RoutingTable): void {
    this.applied = table
    this.#targets = targetsOf(table)
  }

  #apply(table: RoutingTable): void {
    const here = targetsOf(table)
    for (const [key, count] of this.inFlight) {
      if (here.has(key) || count === 0) continue
      this.#controller.watch.requestsCut(this, key, count)
      this.inFlight.delete(key)
      this.#ledger.broken(key)
    }
    this.#take(table)
    this.family.disk = table
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
      const bound = port === 0 ? this.#dice.between(30_000, 39_999) : port
      this.#bound.set(key, { asked: port, port: bound })
      return { key, port: bound, error: null }
    })
  }
}

function targetsOf(table: RoutingTable): Set<string> {
  return new Set(Object.values(table.pools).flatMap(pool => pool.targets.map(candidate => candidate.key)))
}
