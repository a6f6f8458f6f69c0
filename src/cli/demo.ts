import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { request } from 'undici'
import { parseAddress } from '../core/address.ts'
import { VipswapError, errorMessage } from '../core/errors.ts'
import { EXIT, exitCodeOf } from './exit-codes.ts'
import { slotTable } from './print/service.ts'
import { DEFAULT_ADMIN } from './session.ts'
import { processTerminal } from './terminal.ts'
import { deployIfEmpty } from './up/deploy-package.ts'
import { livingNames } from './up/pid-file.ts'
import { runUp, type UpContext } from './up/run-up.ts'

// What `npm start` runs: two versions of the guestbook on a fabric of its own, gone with Ctrl-C.

const GUESTBOOK = fileURLToPath(new URL('../../../examples/guestbook', import.meta.url))
const ANSWER_TIMEOUT_MS = 30_000

const terminal = processTerminal()
// Short, because socket paths are bounded.
const data = mkdtempSync(join(tmpdir(), 'vipswap-'))
try {
  // As `up` takes it; the verbs of the demonstration then find it by the same variable.
  const admin = parseAddress(terminal.env['VIPSWAP_ADMIN'] ?? DEFAULT_ADMIN)
  process.exitCode = await runUp({ data, nodes: 2, admin }, terminal, demonstrate)
} catch (error) {
  terminal.err(`vipswap: ${errorMessage(error)}\n`)
  process.exitCode = exitCodeOf(error)
} finally {
  removeUnlessUsed()
}

/** Who still runs writes there, and finds there what it needs to end its own. */
function removeUnlessUsed(): void {
  const left = livingNames(join(data, 'run', 'pids'))
  if (left.length === 0) {
    rmSync(data, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
    return
  }
  terminal.err(`vipswap: still running: ${left.join(', ')}; ${data} is kept, remove it once they have ended\n`)
  process.exitCode = EXIT.failed
}

async function demonstrate(context: UpContext): Promise<void> {
  const name = await deployIfEmpty(context, join(GUESTBOOK, '1.0.0'), 'production')
  await deployIfEmpty(context, join(GUESTBOOK, '1.5.0'), 'staging')
  const { vips } = await context.client.service(name)
  const broken = vips.find(vip => vip.error !== null)
  if (broken !== undefined) throw new VipswapError('port_in_use', `the ${broken.slot} address: ${broken.error ?? ''}`)
  // A port is null until the proxy has bound it; the example's own ones are known.
  const urls = vips.map((vip, index) => vip.url ?? `http://${vip.host}:${vip.port ?? 8080 + index}`)
  await Promise.all(urls.map(async url => untilAnswered(url, context.signal)))
  if (context.signal.aborted) return
  const service = await context.client.service(name)
  terminal.out(`${name}\n${slotTable(service, '  ')}\nadmin ${context.url}\n`)
  terminal.out(`Open ${context.url}/ to watch it in the portal. Try next, in another terminal:

  npx vipswap swap
  curl ${urls[0] ?? ''}/
  npx vipswap upgrade examples/guestbook/2.0.0 --mode manual
  npx vipswap walk
  npx vipswap rollback

Ctrl-C stops everything and removes ${data}.`)
}

async function untilAnswered(url: string, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + ANSWER_TIMEOUT_MS
  let last = ''
  while (!signal.aborted) {
    try {
      const { statusCode, body } = await request(`${url}/`, { signal })
      await body.dump()
      if (statusCode === 200) return
      last = `status ${statusCode}`
    } catch (error) {
      last = errorMessage(error)
    }
    if (performance.now() > deadline) throw new VipswapError('timed_out', `${url}/ does not answer 200 (${last})`)
    await delay(100, null, { signal }).catch(() => undefined)
  }
}
