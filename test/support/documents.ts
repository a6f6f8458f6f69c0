import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const SKIPPED = new Set(['node_modules', 'dist', '.git', '.tap', '.vipswap'])

/** Every Markdown file of the project, by its path from the root, and its text. */
export function documents(folder = '.'): Map<string, string> {
  const found = new Map<string, string>()
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory() && !SKIPPED.has(entry.name))
      for (const [inner, text] of documents(path)) found.set(inner, text)
    if (entry.isFile() && entry.name.endsWith('.md')) found.set(path, readFileSync(path, 'utf8'))
  }
  return found
}
