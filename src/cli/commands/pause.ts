import type { Command } from 'commander'
import { formatDuration } from '../../core/duration.ts'
import { finish } from '../finish.ts'
import { act, duration, type VerbContext } from '../verb.ts'

/** `pause`, `resume`. */
export function pauseVerbs(program: Command, context: VerbContext): void {
  const pause = program
    .command('pause')
    .description("hold what arrives at a slot's addresses; nobody is refused")
    .option('--timeout <duration>', 'let go after this long by itself, at most 5m (default: 30s)', duration)
  act<{ timeout?: number }>(pause, context, async (session, { timeout }) => {
    const body = timeout === undefined ? {} : { timeout: formatDuration(timeout) }
    await finish(session, await session.client.pause(await session.service(), session.slot, body, session.how))
  })

  const resume = program.command('resume').description('let go what was held')
  act(resume, context, async session => {
    await finish(session, await session.client.resume(await session.service(), session.slot, session.how))
  })
}
