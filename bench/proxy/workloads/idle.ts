import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { errorMessage } from '../../../src/core/errors.ts'
import type { Cell } from '../../report/table.ts'
import { startPeers, type StartedPeer } from '../started-peers.ts'
import { judge } from '../targets.ts'
import { cpuBetween, readCpu, readRss } from '../usage.ts'
import type { Context, Workload, WorkloadReport } from '../workload.ts'
import { runWrk } from '../wrk.ts'

const CONNECTIONS = 5000
/** The floor needs two descriptors for each. */
const DESCRIPTORS = 2 * CONNECTIONS + 500
const AT_ONCE = 50
const SETTLE_MS = 2000
const WATCH_MS = 3000
const MB = 1e6

interface Idle {
  readonly before: number
  readonly after: number
  readonly stillOpen: number
  /** CPU while nothing happens, microseconds per second. */
  readonly cpu: number
}

/** What 5,000 connections that have been served once and say nothing add to the memory of each peer. */
export const idle: Workload = {
  name: 'idle',
  title: `${CONNECTIONS} idle connections that stay, after one request each; resident memory before and after`,
  async run(context) {
    raiseDescriptors()
    const wanted = context.peers.filter(({ name }) => !name.endsWith('-bare'))
    const peers = await startPeers(context, wanted)
    const results: Record<string, Idle> = {}
    try {
      for (const peer of peers.started) {
        context.say(`  ${peer.name}`)
        try {
          results[peer.name] = await measure(context, peer)
        } catch (error) {
          peers.notes.push(`${peer.name} failed: ${errorMessage(error)}`)
        }
      }
    } finally {
      await peers.stop()
    }
    return report(results, peers.notes)
  },
}

async function measure(context: Context, { running }: StartedPeer): Promise<Idle> {
  // What a proxy needs for traffic at all is not counted.
  const { cores, options } = context
  const request = { path: '/55', method: 'GET', bodyBytes: 0, headers: [] } as const
  await runWrk(cores.load, `http://127.0.0.1:${running.port}`, request, 64, options.seconds)
  await delay(SETTLE_MS)
  const pids = running.pids()
  const before = readRss(pids)
  const sockets: Socket[] = []
  try {
    while (sockets.length < CONNECTIONS) {
      sockets.push(...(await Promise.all(Array.from({ length: AT_ONCE }, async () => askOnce(running.port)))))
    }
    await delay(SETTLE_MS)
    const after = readRss(pids)
    const cpuBefore = readCpu(pids)
    await delay(WATCH_MS)
    const cpu = cpuBetween(cpuBefore, readCpu(pids)) / WATCH_MS
    return { before, after, cpu, stillOpen: sockets.filter(socket => socket.readyState === 'open').length }
  } finally {
    for (const socket of sockets) socket.destroy()
  }
}

/** Opens a connection, asks once, and leaves it open. */
async function askOnce(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port })
    let text = ''
    socket.on('data', chunk => {
      text += chunk.toString('latin1')
      if (text.endsWith('x'.repeat(55))) resolve(socket)
    })
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('a connection was closed')))
    socket.write(`GET /55 HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`)
  })
}

function report(results: Readonly<Record<string, Idle>>, notes: readonly string[]): WorkloadReport {
  const added = ({ before, after }: Idle): number => (after - before) / MB
  const rows = Object.entries(results).map(([name, result]): Cell[] => [
    name,
    result.before / MB,
    added(result),
    (1000 * added(result)) / CONNECTIONS,
    Math.round(result.cpu),
    result.stillOpen,
  ])
  const ours = results['vipswap']
  const target = { what: `memory that ${CONNECTIONS} idle connections add`, to: null, atMost: 60, unit: 'MB' }
  return {
    head: ['peer', 'RSS before MB', 'added MB', 'KB each', 'CPU µs/s idle', 'still open'],
    rows,
    verdicts: [judge(target, ours === undefined ? Number.NaN : added(ours))],
    notes,
    json: results,
  }
}

/** Node has raised the soft limit to the hard one; where that is too low, and one may, the hard one is raised. */
function raiseDescriptors(): void {
  const limit = (): number => {
    const [, soft] = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? []
    return soft === 'unlimited' ? Infinity : Number(soft)
  }
  if (limit() >= DESCRIPTORS) return
  spawnSync('prlimit', ['--pid', String(process.pid), `--nofile=${DESCRIPTORS}:${DESCRIPTORS}`])
  if (limit() < DESCRIPTORS) throw new Error(`${DESCRIPTORS} descriptors are needed; the limit is ${limit()}`)
}
