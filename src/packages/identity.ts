import { createHash } from 'node:crypto'
import type { RoleDefinition } from '../model/definition.ts'
import { manifestDigest, type ManifestEntry } from './manifest.ts'

/**
 * What a role is: digest of the files under its path (the whole package for `.`), of the certificates it names and of
 * its definition, without the number of instances. An upgrade leaves roles alone whose identity is the same.
 */
export function roleIdentity(role: RoleDefinition, manifest: readonly ManifestEntry[]): string {
  const { instances: _, ...definition } = role
  const named = new Set([
    ...Object.values(role.certificates).flatMap(files => (files === null ? [] : [files.cert, files.key])),
    ...role.endpoints.flatMap(({ clientAuth }) => (clientAuth === null ? [] : [clientAuth.ca])),
  ])
  const inside = manifest.filter(({ path }) => role.path === '.' || path.startsWith(`${role.path}/`) || named.has(path))
  // A link out of the role's folder makes it depend on what lies there.
  const files = inside.some(entry => !named.has(entry.path) && leaves(entry, role.path)) ? manifest : inside
  return createHash('sha256')
    .update(`${manifestDigest(files)}\n${canonicalJson(definition)}`)
    .digest('hex')
}

function leaves(entry: ManifestEntry, folder: string): boolean {
  if (entry.type !== 'link' || folder === '.') return false
  const depth = entry.path.slice(folder.length + 1).split('/').length - 1
  return entry.target.split('/').filter(part => part === '..').length > depth
}

/** Keys sorted, since their order says nothing; lists keep theirs. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}
