import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A fresh directory, removed when the test ends. Short, because Unix socket paths are bounded. */
export function tempDir(t: { teardown: (fn: () => void) => void }): string {
  const path = mkdtempSync(join(tmpdir(), 'vs-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 }))
  return path
}
