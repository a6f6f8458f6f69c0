import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { projectRoot } from '../system/packages.ts'

/** What a result depends on besides the code. */
export interface Environment {
  readonly at: string
  readonly commit: string
  readonly node: string
  readonly cpu: string
  readonly cores: number
  readonly loadAverage: readonly number[]
}

export function readEnvironment(): Environment {
  return {
    at: new Date().toISOString(),
    commit: commit(),
    node: process.version,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    loadAverage: loadavg(),
  }
}

/** Writes `bench/results/<name>-<time>.json` and answers its path. */
export function writeResult(name: string, result: object): string {
  const folder = join(projectRoot(), 'bench', 'results')
  mkdirSync(folder, { recursive: true })
  const path = join(folder, `${name}-${new Date().toISOString().replaceAll(/[:.]/g, '-')}.json`)
  writeFileSync(path, `${JSON.stringify(result, null, 2)}\n`)
  return path
}

function commit(): string {
  try {
    const git = (...args: string[]): string =>
      execFileSync('git', args, { cwd: projectRoot(), encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
    return git('rev-parse', '--short=12', 'HEAD') + (git('status', '--porcelain') === '' ? '' : ' (changed)')
  } catch {
    return 'unknown'
  }
}
