import { cpSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/**
 * Copies a package of the registry and all it depends on, except `done`, as an installation would lay them out; without
 * types and source maps.
 */
export function installInto(folder: string, name: string, from = import.meta.url, done = new Set<string>()): void {
  if (done.has(name)) return
  done.add(name)
  const paths = createRequire(from).resolve.paths(name) ?? []
  for (const path of paths) {
    let manifest: { dependencies?: Record<string, string> }
    try {
      // The manifest is the package's own file of this shape.
      manifest = JSON.parse(readFileSync(join(path, name, 'package.json'), 'utf8')) as typeof manifest
    } catch {
      continue
    }
    cpSync(join(path, name), join(folder, 'node_modules', name), {
      recursive: true,
      dereference: true,
      filter: source => !/\.(?:ts|map)$/.test(source),
    })
    for (const dependency of Object.keys(manifest.dependencies ?? {})) {
      installInto(folder, dependency, join(path, name, 'package.json'), done)
    }
    return
  }
  throw new Error(`${name} is not installed beside ${dirname(from)}`)
}
