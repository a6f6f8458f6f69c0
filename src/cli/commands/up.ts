import { InvalidArgumentError, type Command } from 'commander'
import { resolve } from 'node:path'
import { parseAddress } from '../../core/address.ts'
import { VipswapError } from '../../core/errors.ts'
import { DEFAULT_FABRIC_CONFIG } from '../../model/load-fabric-config.ts'
import { readFabricFile } from '../fabric-file.ts'
import { slotTable } from '../print/service.ts'
import type { GlobalFlags } from '../session.ts'
import { deployIfEmpty } from '../up/deploy-package.ts'
import { runUp } from '../up/run-up.ts'
import { count, type VerbContext } from '../verb.ts'

interface Flags extends GlobalFlags {
  readonly nodes: number
  readonly data: string
  readonly config?: string
  readonly tokenFile?: string
}

/** `up`: everything on this machine, in the foreground. */
export function upVerb(program: Command, { terminal, setExitCode }: VerbContext): void {
  const command = program
    .command('up [package]')
    .description('controller, proxy and agents on this machine, in the foreground (--admin HOST:PORT)')
    .option('--nodes <number>', 'how many agents', nodeCount, 2)
    .option('--data <dir>', 'where everything is kept; what is there is resumed', './.vipswap')
    .option('--config <file>', "the fabric's own configuration (vipswap.yaml); flags go before it")
    .option(
      '--token-file <file>',
      'bearer tokens of the admin API, a line each: TOKEN or NAME TOKEN; needed unless it listens on loopback only',
    )
  command.action(async () => {
    const flags = command.optsWithGlobals<Flags>()
    const [path] = command.args
    const file = flags.config === undefined ? null : readFabricFile(flags.config)
    if (flags.quiet !== true) for (const { message } of file?.warnings ?? []) terminal.err(`warning: ${message}\n`)
    const { admin: written, workers } = file?.config ?? DEFAULT_FABRIC_CONFIG
    const named = flags.admin ?? terminal.env['VIPSWAP_ADMIN']
    const admin = named === undefined ? written : parseAddress(named)
    if (admin.port === 0) throw new VipswapError('usage', 'the admin address must name a port from 1 to 65535 here')
    const tokenFile = flags.tokenFile ?? written.tokenFile
    const options = {
      data: flags.data,
      nodes: flags.nodes,
      admin: { host: admin.host, port: admin.port },
      workers,
      ...(flags.config === undefined ? {} : { config: resolve(flags.config) }),
      ...(tokenFile === null ? {} : { tokenFile: resolve(tokenFile) }),
      ...(flags.quiet === undefined ? {} : { quiet: flags.quiet }),
    }
    const exitCode = await runUp(options, terminal, async context => {
      if (path !== undefined) await deployIfEmpty(context, path, 'production')
      for (const service of await context.client.services())
        terminal.out(`${service.name}\n${slotTable(service, '  ')}`)
      terminal.out(`admin ${context.url}`)
      context.note('ready; Ctrl-C stops everything')
    })
    setExitCode(exitCode)
  })
}

function nodeCount(text: string): number {
  const nodes = count(text)
  if (nodes >= 1 && nodes <= 100) return nodes
  throw new InvalidArgumentError('write a number from 1 to 100')
}
