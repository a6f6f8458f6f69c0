import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Address } from '../core/address.ts'
import { createSystemClock } from '../core/clock.ts'
import { lockFile } from '../core/lock-file.ts'
import { own } from '../core/own.ts'
import type { Logger } from '../core/logger.ts'
import { wordsOf } from '../fabric/recovery.ts'
import type { FabricSettings } from '../fabric/state.ts'
import type { FabricConfig } from '../model/fabric-config.ts'
import { HOOK_EVENTS, type Hooks } from '../model/hooks.ts'
import { createPackageStore } from '../packages/package-store.ts'
import { openStore } from '../store/open-store.ts'
import type { ControllerApi } from './controller-api.ts'
import { createController } from './controller.ts'
import { logEvents } from './log-events.ts'
import { readJournal } from './journal.ts'
import { startLinkServer } from './links/link-server.ts'
import { Peers } from './links/peers.ts'
import { startMembers, type Members } from './members/members.ts'
import { Reconciler } from './reconciler.ts'
import { createPackageTrust, rejudged, signedPackage } from './package-trust.ts'
import { createSecrets } from './secrets.ts'
import { startRetention } from './retention.ts'
import { startTraffic } from './traffic/traffic.ts'
import { HookProcesses } from './tasks/hook-processes.ts'
import { TaskRunner, type HookTable } from './tasks/runner.ts'

export interface ControllerOptions {
  /** Where the journal and the packages are kept. */
  readonly dataDirectory: string
  /** Holds `controller.sock`; mode 0700. */
  readonly runDirectory: string
  readonly config: FabricConfig
  /** Where agents and proxies of other machines dial; default: there are none. */
  readonly links?: Address | undefined
  readonly log: Logger
}

export interface RunningController {
  readonly api: ControllerApi
  /** null: there are none of other machines. */
  readonly members: Members | null
  /** Resolves with the reason when the journal can no longer be written. */
  readonly broken: Promise<Error>
  /** No proxy and no agent is connected. */
  isAlone(): boolean
  close(): Promise<void>
}

/**
 * Reads the journal, takes a new term and listens for proxies and agents. Rejects with `store_damaged`, `store_locked` or
 * `already_running`; nothing that runs is touched then.
 */
export async function startController(options: ControllerOptions): Promise<RunningController> {
  const { dataDirectory, runDirectory } = options
  mkdirSync(dataDirectory, { recursive: true, mode: 0o700 })
  mkdirSync(runDirectory, { recursive: true, mode: 0o700 })
  // Before the store is looked at: one whose folder is gone has no lock any more that would say it is in use.
  const release = await lockFile(join(dataDirectory, 'controller.lock'), 'a controller on this data folder')
  try {
    return await startAlone(options, release)
  } catch (error) {
    release()
    throw error
  }
}

async function startAlone(options: ControllerOptions, release: () => void): Promise<RunningController> {
  const { dataDirectory, runDirectory, config, log } = options
  const clock = createSystemClock()
  const secrets = createSecrets(config.secrets.keyFile ?? join(dataDirectory, 'secrets.key'), log)
  const { store, recovery, noted } = await openStore({
    directory: join(dataDirectory, 'store'),
    onTrouble: message => log.warn({ error: message }, 'no snapshot of the journal could be written'),
  })
  try {
    if (recovery !== null) log.error({ ...recovery }, `the journal was damaged and put back; ${wordsOf(recovery.lost)}`)
    const settings = settingsOf(config)
    const reconciler = new Reconciler({ ...(await readJournal(store, settings)), store, clock, log })
    const broken = new Promise<Error>(resolve => {
      reconciler.once('broken', resolve)
    })
    logEvents(reconciler, log)
    await reconciler.settle({ kind: 'restored', settings, recovery })
    if (recovery !== null) noted()
    const trust = createPackageTrust({ required: config.packages.requireSignature, keys: config.packages.trustedKeys })
    for (const release of Object.values(reconciler.state.releases)) {
      const judged = rejudged(release, { required: false, keys: config.packages.trustedKeys })
      if (judged !== null) await reconciler.settle({ kind: 'release-added', release: judged })
    }
    const peers = new Peers(reconciler, clock, log, assignment => ({
      ...secrets.open(assignment),
      ...(trust.required === null ? {} : { trustedKeys: trust.required }),
    }))
    const { maxBytes, maxFiles, keep } = config.packages
    const packages = createPackageStore(dataDirectory, { maxBytes, maxFiles })
    const handlers = {
      onHello: peers.onHello,
      openPackage: async (digest: string) => ((await packages.get(digest)) === null ? null : packages.open(digest)),
      signaturesOf: (digest: string) => {
        const release = own(reconciler.state.releases, digest)
        return release === undefined ? null : signedPackage(release)
      },
    }
    const links = await startLinkServer(join(runDirectory, 'controller.sock'), handlers, log)
    const members =
      options.links === undefined
        ? null
        : await startMembers({
            address: options.links,
            folder: join(dataDirectory, 'trust'),
            handlers,
            state: () => reconciler.state,
            lifeMs: config.links.certificateLifeMs,
            log,
          })
    const { term, n } = reconciler.state.fabric.revision
    log.info({ term, revision: n, services: Object.keys(reconciler.state.services) }, 'controller started')
    const traffic = startTraffic(reconciler, clock)
    const api = createController({ reconciler, peers, packages, clock, traffic, secrets, trust, keepPackages: keep })
    const hookProcesses = new HookProcesses(join(dataDirectory, 'hooks'))
    const left = await hookProcesses.endLeft()
    if (left.length > 0) log.warn({ pids: left }, 'ended hooks that a killed controller had left running')
    const tasks = new TaskRunner(reconciler, hooksOf(config), log, hookProcesses.began)
    const stopRetention = startRetention(reconciler, () => api.gc(), log)
    return {
      api,
      members,
      broken,
      isAlone: () => peers.connected.proxies === 0 && peers.connected.agents === 0,
      close: async () => {
        const tasksOver = tasks.close()
        stopRetention()
        traffic.close()
        await members?.close()
        await links.close()
        await tasksOver
        reconciler.close()
        await store.close()
        release()
      },
    }
  } catch (error) {
    await store.close()
    throw error
  }
}

function hooksOf({ hooks, services }: FabricConfig): HookTable {
  return {
    all: hooks,
    services: Object.fromEntries(Object.entries(services).map(([name, { hooks: own = {} }]) => [name, own])),
  }
}

/** Which hooks there are; the rules need no more. */
function hookNames(config: FabricConfig): NonNullable<FabricSettings['hooks']> {
  const names = (hooks: Hooks) => HOOK_EVENTS.filter(event => hooks[event] !== undefined)
  const { all, services } = hooksOf(config)
  return {
    all: names(all),
    services: Object.fromEntries(Object.entries(services).map(([name, hooks]) => [name, names(hooks)])),
  }
}

function settingsOf(config: FabricConfig): FabricSettings {
  const { vips, services, limits, endpointDefaults, portRange, sizes, quota, nodeTimeoutMs } = config
  const { user, users, openFiles } = config.processes
  return {
    vips,
    services: Object.fromEntries(
      Object.entries(services).map(([name, { vips: own, hostNames }]) => [
        name,
        {
          vips: own,
          hostNames:
            hostNames === undefined
              ? undefined
              : {
                  production: hostNames.production ?? `${name.toLowerCase()}.localhost`,
                  staging: hostNames.staging ?? `staging.${name.toLowerCase()}.localhost`,
                },
        },
      ]),
    ),
    limits,
    endpointDefaults,
    portRange,
    sizes,
    quota,
    nodeTimeoutMs,
    processes: { user, users, openFiles },
    hooks: hookNames(config),
  }
}
