import { certificatesIn, RELEASES } from './catalogue.ts'
import { FAULTS } from './faults.ts'
import { REAL_RULES, type FabricRules } from './fabric-rules.ts'
import { Operator } from './operator.ts'
import { planOf, type Happening } from './plan.ts'
import { Prng } from './prng.ts'
import { checkRest, comeToRest } from './rest.ts'
import type { Rule } from './rules.ts'
import type { Step } from './scripts.ts'
import { SimAgent } from './sim-agent.ts'
import { SimController, type KillPlan } from './sim-controller.ts'
import { SimProxies } from './sim-proxy.ts'
import { Violation, World } from './world.ts'

export interface Options {
  /** How long commands and faults go on, in simulated milliseconds. */
  readonly busyMs?: number
  /** What happens; absent: as the seed says. */
  readonly plan?: readonly Happening[]
  /** Asked for instead, and nothing goes wrong but what `kill` says. */
  readonly script?: readonly Step[]
  readonly kill?: KillPlan
  /** Absent: those of src/fabric. */
  readonly rules?: FabricRules
}

export interface Failure {
  /** Null: something threw. */
  readonly rule: Rule | null
  readonly message: string
  /** What was done to the fabric until then, a line each. */
  readonly script: readonly string[]
  readonly lastEvents: readonly string[]
  /** In simulated milliseconds. */
  readonly at: number
}

export interface Outcome {
  readonly seed: number
  readonly steps: number
  readonly commits: number
  readonly kills: number
  /** Faults that struck, by kind; what operators asked for, by verb; operations by kind and end. */
  readonly faults: Readonly<Record<string, number>>
  readonly verbs: Readonly<Record<string, number>>
  readonly operations: Readonly<Record<string, number>>
  readonly failure: Failure | null
}

/** How long the commands and faults of a seed go on. */
export function busyTimeOf(seed: number): number {
  return new Prng(seed * 7 + 3).pick([5000, 8000, 12_000, 25_000])
}

/** One run: commands and faults for a while, then calm, then everything must have come to its end. */
export function simulate(seed: number, options: Options = {}): Outcome {
  const world = new World(seed)
  const rules = options.rules ?? REAL_RULES
  const controller = new SimController(world, rules, { kill: options.kill ?? null, pure: seed % 40 === 0 })
  const operator = new Operator(world, controller)
  const faults: Record<string, number> = {}
  let failure: Failure | null = null
  try {
    const busyMs = options.busyMs ?? busyTimeOf(seed)
    start(world, controller)
    if (options.script === undefined) {
      for (const happening of options.plan ?? planOf(seed, busyMs))
        world.after(happening.at, () => happen(happening, world, controller, operator, faults))
    } else {
      for (const { at, command } of options.script) world.after(at, () => operator.insist(command))
    }
    world.run(busyMs)
    comeToRest(world, controller, operator)
    checkRest(world, controller)
  } catch (thrown) {
    const { script, lastEvents, time: at } = world
    const error = thrown instanceof Error ? thrown : new Error(String(thrown))
    const known = error instanceof Violation
    failure = {
      rule: known ? error.rule : null,
      message: known ? error.message : (error.stack ?? error.message),
      script,
      lastEvents,
      at,
    }
  }
  const operations: Record<string, number> = {}
  for (const { kind, status } of Object.values(controller.state.operations)) {
    operations[`${kind} ${status}`] = (operations[`${kind} ${status}`] ?? 0) + 1
  }
  const { steps } = world
  const { commits, kills } = controller
  return { seed, steps, commits, kills, faults, verbs: operator.asked, operations, failure }
}

function start(world: World, controller: SimController): void {
  const dice = world.dice('start')
  for (const release of RELEASES) controller.addRelease(release, certificatesIn(release))
  const nodes = dice.between(1, 3)
  const declare = dice.chance(0.15)
  for (let index = 0; index < nodes; index++)
    controller.agents.push(new SimAgent(world, controller, `node-${index}`, declare ? index : null))
  controller.proxyFamilies.push(new SimProxies(world, controller, 'proxy'))
  if (dice.chance(0.3)) controller.proxyFamilies.push(new SimProxies(world, controller, 'other'))
  for (const agent of controller.agents) agent.dialler.dial()
}

function happen(
  { what, seed }: Happening,
  world: World,
  controller: SimController,
  operator: Operator,
  faults: Record<string, number>,
): void {
  const dice = new Prng(seed)
  if (what === 'operator') {
    operator.act(dice)
    return
  }
  const [agent, family] = [dice.pick(controller.agents), dice.pick(controller.proxyFamilies)]
  const did = FAULTS[what.fault]?.strike({ world, controller, dice, agent, family }) ?? null
  if (did === null) return
  faults[what.fault] = (faults[what.fault] ?? 0) + 1
  world.done(`fault: ${what.fault} ${did}`)
}
