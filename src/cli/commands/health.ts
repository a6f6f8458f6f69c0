import type { Command } from 'commander'
import { Option } from 'commander'
import type { HealthView } from '../../contracts/api/health.ts'
import { formatDuration } from '../../core/duration.ts'
import { HEALTH_STATES, type HealthState } from '../../model/states.ts'
import { healthText } from '../print/health.ts'
import type { Session } from '../session.ts'
import { act, count, duration, type VerbContext } from '../verb.ts'

interface ReportFlags {
  readonly ttl?: number
  readonly remove?: boolean
  readonly sequence?: number
  readonly description?: string
  readonly instance?: string
}

/** `health`, `health report`. */
export function healthVerbs(program: Command, context: VerbContext): void {
  const health = program.command('health').description("a deployment's health, and why it is not Ok")
  act(health, context, async session => {
    print(session, await session.client.health(await session.service(), session.slot))
  })

  const report = health
    .command('report <source> <property>')
    .description('say how a deployment or instance is, under the name of who says so')
    .addOption(new Option('--state <state>', 'Ok, Warning or Error').choices(HEALTH_STATES).makeOptionMandatory())
    .option('--instance <id>', 'of this instance; default: the deployment')
    .option('--description <text>', 'why')
    .option('--ttl <duration>', 'for how long it holds; then it counts as Error', duration)
    .option('--remove', 'forget it when its ttl is over')
    .option('--sequence <number>', 'above that of the last; default: the next', count)
  act<ReportFlags & { state: HealthState }>(report, context, async (session, flags, [source = '', property = '']) => {
    const { state, instance, description, ttl, remove, sequence } = flags
    const body = {
      source,
      property,
      state,
      ...(instance === undefined ? {} : { instance }),
      ...(description === undefined ? {} : { description }),
      ...(ttl === undefined ? {} : { ttl: formatDuration(ttl) }),
      ...(remove === undefined ? {} : { removeWhenExpired: remove }),
      ...(sequence === undefined ? {} : { sequence }),
    }
    print(session, await session.client.reportHealth(await session.service(), session.slot, body))
  })
}

function print(session: Session, health: HealthView): void {
  session.result('health', health, () => healthText(health))
}
