import { ownVersion } from '../../core/version.ts'
import type { PidRecord } from './pid-file.ts'
import type { Part } from './supervised.ts'

/** Why a running process is not what would be started in its place now; null where it is. */
export function outdated(record: PidRecord, part: Part): string | null {
  const version = ownVersion()
  if (record.version !== version) return `of version ${record.version ?? 'unknown'}, this is ${version}`
  // The same version from another folder: the one it came from may be gone by the time it needs a file of it.
  if (record.script !== part.script) return `from ${record.script ?? 'another place'}, not ${part.script}`
  if (!hasArgs(record, part)) return 'with other arguments'
  if (record.configuration !== part.configuration?.()) return 'with an earlier content of its configuration'
  return null
}

/** Was that process started with what the part would be started with now? */
function hasArgs(record: PidRecord, part: Part): boolean {
  return JSON.stringify(record.args) === JSON.stringify(part.args)
}
