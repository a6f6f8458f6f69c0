import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startController } from '../controller/start.ts'
import { parseAddress } from '../core/address.ts'
import { beside } from '../core/beside.ts'
import { VipswapError, errorMessage } from '../core/errors.ts'
import { createLogger } from '../core/logger.ts'
import { onShutdown } from '../core/shutdown.ts'
import { untilWritable } from '../core/writable.ts'
import type { FabricConfig } from '../model/fabric-config.ts'
import { DEFAULT_FABRIC_CONFIG, loadFabricConfig } from '../model/load-fabric-config.ts'
import { tlsOf } from '../model/admin-tls.ts'
import { startAdmin } from './server.ts'

// The controller process: the rules' shell with its admin HTTP.

const STOP_DEADLINE_MS = 15_000
const STOP_POLL_MS = 250

const USAGE =
  'usage: controller [--data DIR] [--run DIR] [--admin HOST:PORT] [--config FILE] [--token-file FILE] [--tls-cert FILE --tls-key FILE [--client-ca FILE]] [--links HOST:PORT]'

const values = read()
const log = createLogger('controller')

try {
  await run()
} catch (error) {
  log.fatal({ code: error instanceof VipswapError ? error.code : undefined }, errorMessage(error))
  process.exit(error instanceof VipswapError && error.code === 'usage' ? 2 : 1)
}

async function run(): Promise<void> {
  const config = readConfig(values.config)
  const { host, port } = values.admin === undefined ? config.admin : parseAddress(values.admin)
  const tokenFile = values['token-file'] ?? config.admin.tokenFile
  const tls = tlsOf(config.admin.tls, {
    cert: values['tls-cert'],
    key: values['tls-key'],
    clientCa: values['client-ca'],
  })
  const listen = values.links ?? config.links.listen
  const runDirectory = values.run ?? join(values.data, 'run')
  // "Stop wanted" is a file, so that it holds even if whoever wanted it is gone. Proxies and agents finish it first.
  const stopFile = join(runDirectory, 'stop')
  const isStopWanted = (): boolean => existsSync(stopFile)
  mkdirSync(values.data, { recursive: true, mode: 0o700 })
  // Beginning on a full disk would fail, again and again, and ever later.
  const mayBegin = await untilWritable(values.data, {
    onWait: why =>
      log.error({ data: values.data, error: why }, 'the data folder cannot be written: waiting until it can'),
    isGivenUp: isStopWanted,
  })
  if (!mayBegin) return
  const controller = await startController({
    dataDirectory: values.data,
    runDirectory,
    config,
    links: listen === null ? undefined : parseAddress(listen),
    log,
  })
  const admin = await startAdmin({
    api: controller.api,
    members: controller.members,
    host,
    port,
    ...(tokenFile === null ? {} : { tokenFile }),
    ...(tls === null ? {} : { tls }),
    maxPackageBytes: config.packages.maxBytes,
    audit: { path: join(values.data, 'audit', 'audit.log'), ...config.admin.audit },
    log,
  })
  log.info({ url: admin.url }, 'admin HTTP listens')
  const stop = onShutdown(
    async () => {
      await admin.close()
      await controller.close()
    },
    { deadlineMs: STOP_DEADLINE_MS, log },
  )
  const poll = setInterval(() => {
    if (!isStopWanted() || !controller.isAlone()) return
    clearInterval(poll)
    stop('stop file')
  }, STOP_POLL_MS)
  poll.unref()
  void controller.broken.then(async error => {
    // Until a next one could write, this one answers what it can: reads as ever, changes with why not.
    await untilWritable(values.data, {
      onWait: why => log.error({ error: why }, 'nothing is accepted until the data folder can be written'),
      isGivenUp: isStopWanted,
    })
    // What was acknowledged is safe; what was not was never told to anyone. The next start reads the journal again.
    stop(`the journal cannot be written: ${error.message}`)
  })
}

function readConfig(file: string | undefined): FabricConfig {
  if (file === undefined) return DEFAULT_FABRIC_CONFIG
  const loaded = loadFabricConfig(file, readFileSync(file, 'utf8'), beside(file))
  if ('config' in loaded) {
    for (const { message } of loaded.warnings) log.warn(message)
    return loaded.config
  }
  throw new VipswapError('usage', loaded.faults.map(fault => fault.message).join('\n'))
}

function read() {
  try {
    return parseArgs({
      options: {
        data: { type: 'string', default: './.vipswap' },
        run: { type: 'string' },
        admin: { type: 'string' },
        config: { type: 'string' },
        'token-file': { type: 'string' },
        'tls-cert': { type: 'string' },
        'tls-key': { type: 'string' },
        'client-ca': { type: 'string' },
        links: { type: 'string' },
      },
    }).values
  } catch (error) {
    process.stderr.write(`${errorMessage(error)}\n${USAGE}\n`)
    return process.exit(2)
  }
}
