import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import { makePackage } from '../system/packages.ts'

/** What the bench's role is in an upgrade run. */
export interface WalkPackage {
  readonly folder: string
  readonly version: number
  readonly port: number
  readonly instances: number
  readonly domains: number
  /** Where every process writes when it began, listened, was told to stop and ended. */
  readonly timeline: string
  /** The domain in which this version falls ill shortly after it was ready; null: none. */
  readonly illDomain: number | null
}

/** Makes one version of the role's package, as the definition in `role/` says but for what the run needs. */
export function makeWalkPackage(options: WalkPackage): string {
  makePackage(options.folder, options.version, options.port)
  const file = join(options.folder, 'service.yaml')
  // Our own definition, just written.
  const definition = parse(readFileSync(file, 'utf8')) as { roles: { web: object } }
  const settings = { TIMELINE: options.timeline, ILL_DOMAIN: String(options.illDomain ?? '') }
  const web = { ...definition.roles.web, instances: options.instances, settings }
  writeFileSync(file, stringify({ ...definition, upgradeDomainCount: options.domains, roles: { web } }))
  return options.folder
}
