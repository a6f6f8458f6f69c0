import type { Command } from 'commander'
import { recoveryText } from '../print/recovery.ts'
import { act, type VerbContext } from '../verb.ts'

/** `recovery`. */
export function recoveryVerbs(program: Command, context: VerbContext): void {
  const verb = program
    .command('recovery')
    .description('whether the journal was put back from a snapshot, and what accepting that would do')
    .option('--accept', 'go on with the fabric as the snapshot has it')
  act<{ accept?: boolean }>(verb, context, async (session, { accept }) => {
    const answer = accept === true ? await session.client.acceptRecovery() : await session.client.recovery()
    session.result('recovery', answer, () => recoveryText(answer.recovery))
  })
}
