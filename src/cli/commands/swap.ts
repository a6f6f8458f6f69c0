import { Argument, type Command } from 'commander'
import { VipswapError } from '../../core/errors.ts'
import type { SwapBody } from '../../contracts/api/bodies.ts'
import { finish } from '../finish.ts'
import { act, type VerbContext } from '../verb.ts'

export interface SwapFlags {
  readonly expect?: string
  readonly verify?: boolean
}

export function swapVerb(program: Command, context: VerbContext): void {
  const command = swapOptions(
    program.command('swap').description('exchange production and staging; the words do it in two phases'),
  )
  act<SwapFlags>(command, context, async (session, flags, [phase]) => {
    await finish(session, await session.client.swap(await session.service(), swapBody(flags, phase), session.how))
  })
}

/** What `swap` and `plan swap` take. */
export function swapOptions(command: Command): Command {
  return command
    .addArgument(new Argument('[phase]').choices(['prepare', 'commit', 'cancel']))
    .option('--expect <production,staging>', 'refuse unless the slots hold these deployments ("-" is empty)')
    .option('--verify', 'with probe traffic through production; the first loss swaps back')
}

export function swapBody({ expect, verify }: SwapFlags, phase: string | undefined): SwapBody {
  return {
    ...(phase === 'prepare' || phase === 'commit' || phase === 'cancel' ? { phase } : {}),
    ...(expect === undefined ? {} : { expect: parseExpectation(expect) }),
    ...(verify === true ? { verify: true } : {}),
  }
}

function parseExpectation(text: string): { production: string | null; staging: string | null } {
  const [production, staging, ...more] = text.split(',')
  if (production === undefined || staging === undefined || more.length > 0) {
    throw new VipswapError(
      'usage',
      `--expect "${text}": write two deployment ids, PRODUCTION,STAGING ("-" for an empty slot)`,
    )
  }
  const id = (part: string): string | null => (part === '-' || part === '' ? null : part)
  return { production: id(production), staging: id(staging) }
}
