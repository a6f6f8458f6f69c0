import { InvalidArgumentError, type Command } from 'commander'
import { resolve } from 'node:path'
import { formatAddress, parseAddress } from '../../core/address.ts'
import { VipswapError, errorMessage } from '../../core/errors.ts'
import { limitWarnings, readSystemLimits } from '../../core/system-limits.ts'
import { tlsOf } from '../../model/admin-tls.ts'
import type { AdminTlsConfig } from '../../model/fabric-config.ts'
import type { Slot } from '../../model/slot.ts'
import { clientTls } from '../client-tls.ts'
import { digestOfFabricFile, readFabricFile } from '../written-files.ts'
import { slotTable } from '../print/service.ts'
import type { GlobalFlags } from '../session.ts'
import { deployIfEmpty } from '../up/deploy-package.ts'
import { APP, commandDefinition, upstreamDefinition, withPackage } from '../up/generated-package.ts'
import { runUp, type UpContext } from '../up/run-up.ts'
import { showLogs } from '../up/show-logs.ts'
import { count, type VerbContext } from '../verb.ts'

interface Flags extends GlobalFlags {
  readonly nodes: number
  readonly data: string
  readonly config?: string
  readonly tokenFile?: string
  readonly replace?: boolean
  readonly tlsCert?: string
  readonly tlsKey?: string
  readonly clientCa?: string
  readonly links?: string
  readonly upstream?: readonly string[]
  readonly stagingUpstream?: readonly string[]
}

/** `up`: everything on this machine, in the foreground. */
export function upVerb(program: Command, { terminal, setExitCode, userCommand }: VerbContext): void {
  const command = program
    .command('up [package]')
    .description('controller, proxy and agents on this machine, in the foreground (--admin HOST:PORT)')
    .option('--nodes <number>', 'how many agents', nodeCount, 2)
    .option('--data <dir>', 'where everything is kept; what is there is resumed', './.vipswap')
    .option('--config <file>', "the fabric's own configuration (vipswap.yaml); flags go before it")
    .option(
      '--token-file <file>',
      'bearer tokens of the admin API, a line each: NAME:ROLE TOKEN (viewer, operator, admin); needed unless it listens on loopback only',
    )
    .option(
      '--replace',
      'take the place of the up that runs on that folder: what it keeps goes on, renewed where outdated',
    )
    .option('--tls-cert <file>', 'certificate of the admin address, PEM: it speaks HTTPS then')
    .option('--tls-key <file>', 'its private key, PEM, mode 0600')
    .option('--client-ca <file>', 'authorities, PEM: their certificates let callers in without a token')
    .option('--links <host:port>', 'where agents and proxies of other machines dial, over mutual TLS')
    .option('--upstream <host:port>', 'front what already runs there, on port 8080; may be repeated', upstream)
    .option('--staging-upstream <host:port>', 'the same for the staging slot, on port 8081', upstream)
    .addHelpText(
      'after',
      '\n  up -- COMMAND ...  run one command (listening on $PORT) behind port 8080, and show what it writes',
    )
  command.action(async () => {
    const flags = command.optsWithGlobals<Flags>()
    const [path] = command.args
    checkSources(path, flags, userCommand)
    if (flags.quiet !== true && namesPort(userCommand))
      terminal.err(
        "warning: there is no shell between here and the command: write sh -c '...' for $PORT to be its port\n",
      )
    const { config, warnings } = await readFabricFile(flags.config)
    if (flags.quiet !== true) for (const { message } of warnings) terminal.err(`warning: ${message}\n`)
    const { admin: written, workers, portRange } = config
    // What is started inherits them.
    if (flags.quiet !== true)
      for (const warning of limitWarnings(readSystemLimits(), portRange)) terminal.err(`warning: ${warning}\n`)
    const named = flags.admin ?? terminal.env['VIPSWAP_ADMIN']
    const admin = named === undefined ? written : parseAddress(named)
    if (admin.port === 0) throw new VipswapError('usage', 'the admin address must name a port from 1 to 65535 here')
    const file = flags.config === undefined ? undefined : resolve(flags.config)
    const tokenFile = flags.tokenFile ?? written.tokenFile
    const found = tlsOf(written.tls, { cert: flags.tlsCert, key: flags.tlsKey, clientCa: flags.clientCa })
    const options = {
      data: flags.data,
      nodes: flags.nodes,
      admin: { host: admin.host, port: admin.port },
      workers,
      ...(file === undefined ? {} : { config: file, configuration: await digestOfFabricFile(file) }),
      ...(tokenFile === null ? {} : { tokenFile: resolve(tokenFile) }),
      ...(flags.replace === undefined ? {} : { replace: flags.replace }),
      ...(config.processes.cgroup === null ? {} : { cgroup: config.processes.cgroup }),
      ...(flags.links === undefined ? {} : { links: formatAddress(parseAddress(flags.links)) }),
      ...(found === null ? {} : { tls: resolved(found), clientTls: clientTls(flags, terminal) }),
      ...(flags.quiet === undefined ? {} : { quiet: flags.quiet }),
    }
    const exitCode = await runUp(options, terminal, async context => {
      if (path !== undefined) await deployIfEmpty(context, path, 'production')
      await deployGenerated(context, flags, userCommand)
      for (const service of await context.client.services())
        terminal.out(`${service.name}\n${slotTable(service, '  ')}`)
      terminal.out(`admin ${context.url}`)
      context.note('ready; Ctrl-C stops everything')
      if (userCommand.length > 0) {
        const { slots } = await context.client.service(APP.service)
        showLogs(context, terminal, APP.service, slots.production?.instances.map(({ id }) => id) ?? [])
      }
    })
    setExitCode(exitCode)
  })
}

/** Does a command that no shell reads name its port as for one? */
function namesPort([program = '', ...words]: readonly string[]): boolean {
  return !/(^|\/)\w*sh$/.test(program) && words.some(word => /\$\{?PORT\b/.test(word))
}

/** The controller may be started with another working folder. */
function resolved(tls: AdminTlsConfig): AdminTlsConfig {
  const { cert, key, clientCa } = tls
  return { ...tls, cert: resolve(cert), key: resolve(key), clientCa: clientCa === null ? null : resolve(clientCa) }
}

/** What is to be served comes from one place. */
function checkSources(path: string | undefined, flags: Flags, userCommand: readonly string[]): void {
  const fronts = flags.upstream !== undefined || flags.stagingUpstream !== undefined
  if ([path !== undefined, fronts, userCommand.length > 0].filter(Boolean).length > 1)
    throw new VipswapError('usage', 'write one of PACKAGE, --upstream and -- COMMAND')
}

async function deployGenerated(context: UpContext, flags: Flags, userCommand: readonly string[]): Promise<void> {
  const deploy = async (content: object, slot: Slot, label: string): Promise<unknown> =>
    withPackage(content, async directory => deployIfEmpty(context, directory, slot, { label }))
  const { upstream: production, stagingUpstream: staging } = flags
  if (userCommand.length > 0)
    await deploy(commandDefinition(userCommand, process.cwd()), 'production', userCommand.join(' ').slice(0, 100))
  if (production !== undefined) await deploy(upstreamDefinition(production), 'production', production.join(' '))
  if (staging !== undefined) await deploy(upstreamDefinition(staging), 'staging', staging.join(' '))
}

/** Collects `HOST:PORT`, one for each time it is written. */
function upstream(text: string, before: readonly string[] = []): readonly string[] {
  try {
    return [...before, formatAddress(parseAddress(text))]
  } catch (error) {
    throw new InvalidArgumentError(errorMessage(error))
  }
}

function nodeCount(text: string): number {
  const nodes = count(text)
  if (nodes >= 1 && nodes <= 100) return nodes
  throw new InvalidArgumentError('write a number from 1 to 100')
}
