import { existsSync, readFileSync } from 'node:fs'

/** Of the package.json above `dist/`; run from the sources there is none at that place. */
export function ownVersion(): string {
  const file = new URL('../../../package.json', import.meta.url)
  if (!existsSync(file)) return 'unknown'
  const value: unknown = JSON.parse(readFileSync(file, 'utf8'))
  return typeof value === 'object' && value !== null && 'version' in value ? String(value.version) : 'unknown'
}
