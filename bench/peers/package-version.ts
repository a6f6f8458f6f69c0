import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot } from '../system/packages.ts'

/** The version of this checkout. */
export function projectVersion(): string {
  return versionIn(join(projectRoot(), 'package.json'))
}

/** The version of an npm package that is installed here. Throws where it is not. */
export function packageVersion(folder: string): string {
  try {
    return versionIn(join(projectRoot(), 'node_modules', folder, 'package.json'))
  } catch {
    throw new Error(`the npm package ${folder} is not installed`)
  }
}

function versionIn(file: string): string {
  const { name, version } = JSON.parse(readFileSync(file, 'utf8')) as { name: string; version: string }
  return `${name} ${version}`
}
