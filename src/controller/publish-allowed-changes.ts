import { writeFileSync } from 'node:fs'
import { allowedChangesText } from '../fabric/allowed-changes.ts'

// `node dist/src/controller/publish-allowed-changes.js docs/allowed-changes.md` after a change of the table.
const [, , target] = process.argv
if (target !== undefined) writeFileSync(target, allowedChangesText())
