import type { Prng } from './prng.ts'
import type { SimAgent } from './sim-agent.ts'
import type { SimController } from './sim-controller.ts'
import type { SimProxies } from './sim-proxy.ts'
import type { World } from './world.ts'

/** Whom a fault may strike. */
export interface Cast {
  readonly world: World
  readonly controller: SimController
  readonly dice: Prng
  readonly agent: SimAgent
  readonly family: SimProxies
}

interface Fault {
  readonly weight: number
  /** Strikes; answers what it did, or null where there was nothing to strike. */
  readonly strike: (cast: Cast) => string | null
}

const fault = (weight: number, strike: Fault['strike']): Fault => ({ weight, strike })
const side = (dice: Prng): 'before' | 'after' => (dice.chance(0.5) ? 'before' : 'after')

/** Everything that can go wrong outside the rules. */
export const FAULTS: Readonly<Record<string, Fault>> = {
  'process crashes': fault(24, ({ agent, dice }) => agent.crashOne(dice)),
  'process hangs': fault(12, ({ agent, dice }) => agent.hangOne(dice, 1)),
  'process flaps': fault(4, ({ agent, dice }) => agent.hangOne(dice, 5)),
  'agent dies': fault(6, agentDies),
  'node reboots': fault(4, nodeReboots),
  'agent link breaks': fault(8, ({ agent, dice }) => broken(agent.node, agent.dialler.cut(cut(dice, 1500)))),
  'agent link breaks, noticed late': fault(5, ({ agent, dice }) =>
    broken(agent.node, agent.dialler.cut(cut(dice, 12_000))),
  ),
  'agent messages late': fault(5, ({ agent, dice }) => late(agent.node, agent.dialler, dice.between(200, 6000))),
  'node cut off': fault(4, ({ agent, dice }) => cutOff(agent.node, agent.dialler, dice, 20_000)),
  'node cut off for long': fault(2, ({ agent, dice }) => cutOff(agent.node, agent.dialler, dice, 90_000)),
  'proxy dies': fault(8, ({ family, dice }) => family.crash(dice)),
  'proxy replaced': fault(7, ({ family }) => family.replace()),
  'proxy link breaks': fault(8, ({ family, dice }) =>
    withProxy(family, life => broken(life.incarnation, life.dialler.cut(cut(dice, 1500)))),
  ),
  'proxy link breaks, noticed late': fault(4, ({ family, dice }) =>
    withProxy(family, life => broken(life.incarnation, life.dialler.cut(cut(dice, 9000)))),
  ),
  'proxy messages late': fault(5, ({ family, dice }) =>
    withProxy(family, life => late(life.incarnation, life.dialler, dice.between(200, 6000))),
  ),
  'proxy cut off': fault(3, ({ family, dice }) =>
    withProxy(family, life => cutOff(life.incarnation, life.dialler, dice, 20_000)),
  ),
  'port taken': fault(6, ({ world, dice }) => told(world.takenPorts.add(dice.pick([8080, 8081, 9090, 9091])))),
  'ports freed': fault(6, ({ world }) => told(world.takenPorts.clear())),
  'controller killed': fault(24, ({ controller, dice }) => killed(controller, dice.between(1, 6), side(dice))),
  'machine reboots': fault(1, ({ controller }) => told(controller.reboot())),
}

/** A kind of fault, by weight. */
export function pickFault(dice: Prng): string {
  const entries = Object.entries(FAULTS)
  let roll = dice.next() * entries.reduce((sum, [, { weight }]) => sum + weight, 0)
  return (entries.find(([, { weight }]) => (roll -= weight) < 0) ?? dice.pick(entries))[0]
}

type Wire = SimAgent['dialler']

/** `noticedMs`: each end learns of it within that time, apart from the other. */
function cut(dice: Prng, noticedMs: number): Parameters<Wire['cut']>[0] {
  const [peerMs, controllerMs] = [dice.between(0, noticedMs), dice.between(0, noticedMs)]
  return { peerMs, controllerMs, flushed: dice.chance(0.5) }
}

function broken(who: string, was: boolean): string | null {
  return was ? who : null
}

function late(who: string, { link }: Wire, ms: number): string | null {
  link?.silence(ms)
  return link === null ? null : `${who}, for ${ms} ms`
}

function cutOff(who: string, wire: Wire, dice: Prng, longest: number): string {
  const ms = dice.between(longest / 10, longest)
  const seen = dice.chance(0.6) ? dice.between(0, ms) : null
  wire.partition(ms, seen)
  return `${who}, for ${ms} ms, ${seen === null ? 'unnoticed' : `noticed after ${seen} ms`}`
}

function withProxy<T>(family: SimProxies, what: (life: NonNullable<SimProxies['current']>) => T): T | null {
  return family.current === undefined ? null : what(family.current)
}

function agentDies({ agent, dice }: Cast): string {
  const { controllerMs, flushed } = cut(dice, 3000)
  const ms = dice.between(50, 4000)
  agent.agentCrashed(ms, { controllerMs, flushed })
  return `${agent.node}, for ${ms} ms`
}

function nodeReboots({ agent, dice }: Cast): string {
  const ms = dice.between(200, dice.chance(0.3) ? 20_000 : 3000)
  agent.nodeRebooted(ms)
  return `${agent.node}, for ${ms} ms`
}

function killed(controller: SimController, commits: number, where: 'before' | 'after'): string {
  controller.killSoon(commits, where)
  return `${where} commit ${controller.commits + commits}`
}

function told(_done: unknown): string {
  return ''
}
