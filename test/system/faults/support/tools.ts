import { existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'

export type Tool = 'strace' | 'libfaketime' | 'prlimit' | 'unshare' | 'slowhttptest' | 'root'

/** Why a tool cannot be used here, or null. */
export function missingTool(tool: Tool): string | null {
  if (tool === 'root') return process.getuid?.() === 0 ? null : 'needs root'
  if (tool === 'libfaketime') return fakeTimeLibrary() === null ? 'libfaketime is not installed' : null
  const found = (process.env['PATH'] ?? '').split(delimiter).some(folder => existsSync(join(folder, tool)))
  return found ? null : `${tool} is not installed`
}

/** Debian has it in a folder named after the machine. */
export function fakeTimeLibrary(): string | null {
  if (!existsSync('/usr/lib')) return null
  const folders = readdirSync('/usr/lib').filter(name => name.endsWith('-linux-gnu'))
  return folders.map(name => `/usr/lib/${name}/faketime/libfaketime.so.1`).find(path => existsSync(path)) ?? null
}
