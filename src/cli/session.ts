import pc from 'picocolors'
import { createClient, type Client, type MutationOptions } from '../client/client.ts'
import { VipswapError } from '../core/errors.ts'
import type { Slot } from '../model/slot.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { clientTls } from './client-tls.ts'
import { jsonText, logLine, visible } from './print/visible.ts'
import type { Terminal } from './terminal.ts'

/** Flags of every verb, as commander gives them. */
export interface GlobalFlags {
  readonly service?: string
  readonly slot?: Slot
  readonly json?: boolean
  readonly admin?: string
  readonly token?: string
  readonly ca?: string
  readonly clientCert?: string
  readonly clientKey?: string
  readonly idempotencyKey?: string
  /** False with `--no-wait`. */
  readonly wait?: boolean
  /** Milliseconds. */
  readonly timeout?: number
  readonly quiet?: boolean
}

export const DEFAULT_ADMIN = 'http://127.0.0.1:9090'

/** One run of one verb: where to ask, where to print, what it ended with. */
export interface Session {
  readonly client: Client
  readonly terminal: Terminal
  readonly flags: GlobalFlags
  readonly slot: Slot
  readonly colors: ReturnType<typeof pc.createColors>
  /** Options of a mutating call. */
  readonly how: MutationOptions
  exitCode: ExitCode
  /** Prints a result: with `--json` one document that names its schema, else the text. */
  result(schema: string, value: object, text: string | (() => string)): void
  /** A line on standard error, unless `--quiet`. */
  note(line: string): void
  /** The service meant: `--service`, or the only one. */
  service(): Promise<string>
  /** Aborted by Ctrl-C; call `done` when nothing is waited for any more. */
  interruptible(): { signal: AbortSignal; done: () => void }
}

export function createSession(flags: GlobalFlags, terminal: Terminal): Session {
  const token = flags.token ?? terminal.env['VIPSWAP_TOKEN']
  const url = flags.admin ?? terminal.env['VIPSWAP_ADMIN'] ?? DEFAULT_ADMIN
  const client = createClient({ url, tls: clientTls(flags, terminal), ...(token === undefined ? {} : { token }) })
  return {
    client,
    terminal,
    flags,
    slot: flags.slot ?? 'production',
    colors: pc.createColors(terminal.colors),
    how: flags.idempotencyKey === undefined ? {} : { idempotencyKey: flags.idempotencyKey },
    exitCode: EXIT.done,
    result(schema, value, text) {
      if (flags.json === true) terminal.out(jsonText({ schema: `vipswap.${schema}/1`, ...value }))
      else {
        const lines = typeof text === 'function' ? text() : text
        if (lines !== '') terminal.out(schema === 'log' ? logLine(lines, terminal) : visible(lines))
      }
    },
    note(line) {
      if (flags.quiet !== true) terminal.err(`${visible(line)}\n`)
    },
    async service() {
      if (flags.service !== undefined) return flags.service
      const names = (await client.services()).map(each => each.name)
      const [only] = names
      if (only === undefined) {
        throw new VipswapError('service_not_found', 'there is no service yet; deploy one with "vipswap deploy PACKAGE"')
      }
      if (names.length === 1) return only
      throw new VipswapError('usage', `there are several services (${names.join(', ')}); say which with --service NAME`)
    },
    interruptible() {
      const controller = new AbortController()
      const done = terminal.onInterrupt(() => controller.abort())
      return { signal: controller.signal, done }
    },
  }
}
