import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { errorMessage } from '../src/core/errors.ts'
import { PEER_NAMES, allPeers } from './peers/all.ts'
import { versionOf } from './peers/command.ts'
import type { Certificate, Peer } from './peers/peer.ts'
import { makeCertificate } from './proxy/certificate.ts'
import { killAll } from './proxy/child.ts'
import { takeCores } from './proxy/cores.ts'
import { compileNative, startNative } from './proxy/native.ts'
import { helpText, readOptions, type Options } from './proxy/options.ts'
import { profile } from './proxy/profile.ts'
import { verdictText, type Verdict } from './proxy/targets.ts'
import type { Context, WorkloadReport } from './proxy/workload.ts'
import { WORKLOADS } from './proxy/workloads/all.ts'
import { readEnvironment, writeResult } from './report/environment.ts'
import { table } from './report/table.ts'

// Measures vipswap beside other proxies. See README.md for what is measured and how.

async function main(): Promise<number> {
  const names = WORKLOADS.map(({ name }) => name)
  const options = readOptions(process.argv.slice(2), names, PEER_NAMES)
  if (options === null) {
    console.log(helpText(WORKLOADS, PEER_NAMES))
    return 0
  }
  const folder = mkdtempSync(join(tmpdir(), 'vs-bench-'))
  process.on('exit', () => {
    killAll()
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
  return measureAll(options, folder)
}

async function measureAll(options: Options, folder: string): Promise<number> {
  const environment = readEnvironment()
  const { context, versions } = prepare(options, folder)
  console.log(`${environment.at}  commit ${environment.commit}  Node ${environment.node}`)
  console.log(
    `${environment.cpu}, ${environment.cores} cores, load ${environment.loadAverage.map(n => n.toFixed(2)).join(' ')}`,
  )
  console.log(`${context.cores.text}\n${table(['peer', 'is'], versions)}`)
  if (options.profile) {
    console.log(await profile(context, `proxy-profile-${environment.at.replaceAll(/[:.]/g, '-')}`))
    return 0
  }
  const reports: Record<string, WorkloadReport> = {}
  const failures: string[] = []
  for (const workload of WORKLOADS.filter(({ name }) => options.only.includes(name))) {
    console.error(workload.name)
    try {
      const report = await workload.run(context)
      reports[workload.name] = report
      console.log(`\n${workload.name}: ${workload.title}\n${text(report)}`)
    } catch (error) {
      failures.push(`${workload.name}: ${errorMessage(error)}`)
      console.log(`\n${workload.name}: FAILED: ${errorMessage(error)}`)
    }
  }
  const verdicts = Object.entries(reports).flatMap(([name, { verdicts: own }]) => own.map(each => ({ name, ...each })))
  console.log(`\n${summary(verdicts)}`)
  const loadAverageAfter = readEnvironment().loadAverage
  const path = writeResult('proxy', { environment, loadAverageAfter, options, versions, reports, failures })
  console.log(`written to ${path}`)
  return failures.length > 0 || (options.strict && verdicts.some(({ met }) => met === false)) ? 1 : 0
}

/** Compiles, pins, and finds out who can take part. */
function prepare(options: Options, folder: string): { context: Context; versions: [string, string][] } {
  versionOf('wrk', '-v')
  versionOf('cc', '--version')
  const cores = takeCores()
  const native = compileNative(folder)
  const versions: [string, string][] = []
  const peers: Peer[] = []
  for (const peer of allPeers(native).filter(({ name }) => options.peers.includes(name))) {
    try {
      versions.push([peer.name, peer.version()])
      peers.push(peer)
    } catch (error) {
      versions.push([peer.name, `left out: ${errorMessage(error)}`])
    }
  }
  let folders = 0
  let certificate: Certificate | null = null
  const context: Context = {
    options,
    cores,
    native,
    peers,
    folder: name => {
      const made = join(folder, `${++folders}-${name}`)
      mkdirSync(made)
      return made
    },
    origin: async label => {
      const [child, port] = await startNative('origin', cores.load, native.origin, label === undefined ? [] : [label])
      return { child, port }
    },
    certificate: () => (certificate ??= makeCertificate(folder)),
    say: message => console.error(message),
  }
  return { context, versions }
}

function text({ head, rows, verdicts, notes }: WorkloadReport): string {
  return [table(head, rows), ...verdicts.map(verdictText), ...notes].join('\n')
}

function summary(verdicts: readonly (Verdict & { name: string })[]): string {
  const lines = verdicts.map(verdict => `${verdict.name}: ${verdictText(verdict)}`)
  return lines.length === 0 ? 'no targets' : `targets\n${lines.join('\n')}`
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(errorMessage(error))
  process.exitCode = 1
}
process.exit()
