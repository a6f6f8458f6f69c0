import { parseArgs } from 'node:util'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startAdmin } from '../src/admin/server.ts'
import { startController } from '../src/controller/start.ts'
import { silentLogger } from '../src/core/logger.ts'
import { DEFAULT_FABRIC_CONFIG } from '../src/model/load-fabric-config.ts'
import { attack } from '../test/integration/admin/hostile/attack.ts'

// The long form of test/integration/admin/hostile.test.ts, against a whole controller: `npm run fuzz:admin`.

const { values } = parseArgs({
  options: { count: { type: 'string', default: '10000' }, seed: { type: 'string', default: '1' } },
})
const folder = mkdtempSync(join(tmpdir(), 'vs-'))
const log = silentLogger()
const controller = await startController({
  dataDirectory: join(folder, 'd'),
  runDirectory: join(folder, 'r'),
  config: DEFAULT_FABRIC_CONFIG,
  links: { host: '127.0.0.1', port: 0 },
  log,
})
const admin = await startAdmin({
  api: controller.api,
  members: controller.members,
  port: 0,
  log,
  token: 'secret-admin',
  audit: { path: join(folder, 'd', 'audit', 'audit.log'), maxBytes: 1024 ** 2, keep: 2 },
})
const prototype = Object.getOwnPropertyNames(Object.prototype).join()
let failed = false
try {
  for (const token of [null, 'secret-admin']) {
    const before = JSON.stringify([controller.api.services(), controller.api.nodes()])
    const started = performance.now()
    const count = Number(values.count)
    const { statuses, faults } = await attack({ port: admin.port, seed: Number(values.seed), count, token })
    const seconds = ((performance.now() - started) / 1000).toFixed(1)
    const shown = [...statuses].map(([status, times]) => `${status}: ${times}`).toSorted((a, b) => (a < b ? -1 : 1))
    console.log(`${count} requests ${token === null ? 'without' : 'with'} a token in ${seconds} s: ${shown.join(', ')}`)
    for (const fault of faults.slice(0, 10)) console.log(fault)
    const changed = token === null && JSON.stringify([controller.api.services(), controller.api.nodes()]) !== before
    const polluted = Object.getOwnPropertyNames(Object.prototype).join() !== prototype
    const alive = (await fetch(`${admin.url}/healthz`)).ok
    console.log(`faults ${faults.length}, state changed ${changed}, prototype polluted ${polluted}, alive ${alive}`)
    failed ||= faults.length > 0 || changed || polluted || !alive
  }
} finally {
  await admin.close()
  await controller.close()
  rmSync(folder, { recursive: true, force: true })
}
process.exitCode = failed ? 1 : 0
