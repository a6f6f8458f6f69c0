import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pack } from '../../../../bench/system/packages.ts'
import { startAdmin } from '../../../../src/admin/server.ts'
import type { Command } from '../../../../src/contracts/command.ts'
import type { ControllerApi } from '../../../../src/controller/controller-api.ts'
import { startController } from '../../../../src/controller/start.ts'
import { silentLogger } from '../../../../src/core/logger.ts'
import { DEFAULT_FABRIC_CONFIG } from '../../../../src/model/load-fabric-config.ts'
import { until } from '../../../support/until.ts'
import { startIdealPeers } from './ideal-peers.ts'

export const TOKENS = { viewer: 'secret-viewer', operator: 'secret-operator', admin: 'secret-admin' } as const

const SERVICE = 'guestbook'
const SLOTS = ['production', 'staging'] as const
/** A request that was taken is given this long to come to its end; what takes longer waits for a clock. */
const SETTLE_MS = 250

/** A whole controller behind its admin API, with a service in it to be harmed, whose peers are ideal. */
export interface Subject {
  readonly port: number
  /** Of the package that is there. */
  readonly digest: string
  /** All that a request could change, as text. Nothing of it moves by itself while `isQuiet`. */
  state(): string
  /** Nothing is under way. */
  isQuiet(): boolean
  /** Waits until nothing is under way, at most 250 ms: what takes longer waits for a clock. */
  settle(): Promise<void>
  /** Makes whole what good requests took away, as far as nothing is in the way. */
  replenish(): Promise<void>
  /** What the journal must bring back. */
  durable(): string
  close(): Promise<void>
}

/** Opens the controller on `folder`, where it may have been before. */
export async function startSubject(folder: string): Promise<Subject> {
  const log = silentLogger()
  const [data, run] = [join(folder, 'd'), join(folder, 'r')]
  const controller = await startController({
    dataDirectory: data,
    runDirectory: run,
    config: DEFAULT_FABRIC_CONFIG,
    links: { host: '127.0.0.1', port: 0 },
    log,
  })
  const { api, members } = controller
  const admin = await startAdmin({
    api,
    members,
    port: 0,
    log,
    token: Object.entries(TOKENS)
      .map(([role, token]) => `${role}:${role} ${token}`)
      .join('\n'),
    audit: { path: join(data, 'audit', 'audit.log'), maxBytes: 1024 ** 2, keep: 2 },
  })
  const peers = await startIdealPeers(join(run, 'controller.sock'), 'node-0')
  await until('the peers are there', () => api.ready().ready)
  const { digest } = await api.addPackage(Readable.from([await archive(folder)]), 'gzip')
  const packages = (): string[] => readdirSync(join(data, 'packages')).toSorted()
  const isQuiet = (): boolean =>
    api.operations({ status: 'InProgress' }).length === 0 &&
    api.services().every(({ vips, prepared }) => prepared === null && vips.every(({ paused }) => paused === null))
  const settle = async (): Promise<void> => {
    await until('it is quiet', isQuiet, { timeoutMs: SETTLE_MS, intervalMs: 1 }).catch(() => {})
  }
  const subject: Subject = {
    port: admin.port,
    digest,
    isQuiet,
    settle,
    state: () =>
      JSON.stringify([
        api.services(),
        api.nodes(),
        api.operations({ limit: 1e9 }),
        api.services().map(({ name }) => [api.marks(name), SLOTS.map(slot => api.health(name, slot))]),
        api.events(0).history.at(-1)?.seq,
        members?.list(),
        packages(),
      ]),
    replenish: async () => {
      for (const command of missing(api, digest)) {
        try {
          await api.submit(command, {})
        } catch {
          // Something is in its way; the next time it may not be.
        }
        await settle()
      }
    },
    durable: () =>
      JSON.stringify([
        api.services().map(({ name, slots }) => [name, slots.production?.id, slots.staging?.id]),
        api.operations({ limit: 1e9 }).map(({ id, kind, startedAt }) => [id, kind, startedAt]),
        api.services().map(({ name }) => api.marks(name)),
        members?.list(),
        packages(),
      ]),
    async close() {
      await admin.close()
      peers.close()
      await controller.close()
    },
  }
  await subject.replenish()
  return subject
}

function* missing(api: ControllerApi, digest: string): Generator<Command> {
  yield { kind: 'undrainNode', node: 'node-0' }
  if (api.service(SERVICE)?.prepared != null) yield { kind: 'swap', service: SERVICE, phase: 'cancel' }
  for (const slot of SLOTS) {
    const about = { service: SERVICE, slot }
    const found = api.service(SERVICE)
    if (found?.vips.some(vip => vip.slot === slot && vip.paused !== null) === true) yield { kind: 'resume', ...about }
    const deployment = found?.slots[slot] ?? null
    if (deployment === null) yield { kind: 'create', ...about, package: digest, replace: false }
    else if (deployment.status === 'Suspended') yield { kind: 'status', ...about, status: 'Running' }
  }
}

async function archive(folder: string): Promise<Buffer> {
  const source = join(folder, 'package')
  mkdirSync(source, { recursive: true })
  writeFileSync(
    join(source, 'service.yaml'),
    `name: ${SERVICE}
version: 1.0.0
roles:
  web:
    command: [sleep, '1']
    instances: 2
    settings: { A: a }
    endpoints:
      http: { protocol: http, port: 0 }
`,
  )
  return pack(source)
}
