import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { RoutingTable } from '../../../src/contracts/routing.ts'
import { isAlive, type ProcessIdentity } from '../../../src/core/process-identity.ts'
import { sumRows } from '../../../src/model/ledger-row.ts'
import { folders, portIn, startController, startProxy, type Controller, type Folders } from './holder-support.ts'
import type { Test } from './support.ts'

export const MAIN = fileURLToPath(new URL('../../../proxy/main.js', import.meta.url))

/** A running proxy with everything that `proxy --replace` needs; each process it ever had is ended after the test. */
export async function startReplaceable(t: Test, first: RoutingTable, workers = 1) {
  const dirs = folders(t)
  const controller = await startController(t, dirs.run, first)
  t.teardown(() => {
    const running = lockOf(dirs)
    if (running !== null && isAlive(running)) process.kill(running.pid, 'SIGKILL')
  })
  const proxy = startProxy(t, dirs, workers)
  const port = portIn(await controller.acked(first))
  const replace = async (...more: string[]): Promise<{ stdout: string; stderr: string }> =>
    promisify(execFile)(process.execPath, [MAIN, '--replace', '--data', dirs.data, ...more], {
      env: { PATH: process.env['PATH'], VIPSWAP_LOG: 'silent' },
    })
  return { dirs, controller, proxy, port, replace }
}

export function lockOf({ data }: Folders): ProcessIdentity | null {
  try {
    return JSON.parse(readFileSync(join(data, 'proxy', 'proxy-0', 'proxy.lock'), 'utf8')) as ProcessIdentity
  } catch {
    return null
  }
}

/** Counts of all incarnations that ever spoke, by their last word. */
export function counted(controller: Controller) {
  const last = new Map<string, ReturnType<typeof sumRows>>()
  for (const message of controller.messages) {
    if (message.type !== 'ack' && message.type !== 'status') continue
    last.set(message.status.ledger.incarnation, [...message.status.ledger.rows])
  }
  const rows = sumRows(last.values())
  const total = (count: (row: (typeof rows)[number]) => number): number =>
    rows.reduce((sum, row) => sum + count(row), 0)
  return {
    incarnations: last.size,
    arrived: total(row => row.arrived),
    answered: total(row => row.answered),
    broken: rows.map(row => row.broken),
  }
}
