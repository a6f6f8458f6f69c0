import { writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { RUNNING, VERBS, type Running, type Verb } from '../fabric/concurrency.ts'

const MARKS: Readonly<Record<string, string>> = { accepted: 'yes', supersedes: '**instead**', pauses: 'pauses' }

/** docs/operations.md: the table of concurrency.ts for people. */
export function operationsText(): string {
  const verbs = Object.keys(VERBS) as Verb[] // keys of VERBS
  const running = Object.keys(RUNNING) as Running[] // keys of RUNNING
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  const mark = (outcome: string): string => MARKS[outcome] ?? `\`${outcome}\``
  const groups = [verbs.slice(0, 6), verbs.slice(6)].map(columns =>
    [
      line(['while this runs', ...columns.map(verb => VERBS[verb])]),
      line(['---', ...columns.map(() => '---')]),
      ...running.map(key => line([RUNNING[key].what, ...columns.map(verb => mark(RUNNING[key].asked[verb]))])),
    ].join('\n'),
  )
  const locks = running.filter(key => RUNNING[key].locks).map(key => RUNNING[key].what)
  return `# What may be asked for while something runs

Printed from \`src/fabric/concurrency.ts\`: \`node dist/src/controller/publish-operations.js docs/operations.md\`.

- **yes**: taken; both go on.
- **instead**: taken; what runs ends \`Cancelled\` with \`superseded\` (by a rollback: \`RolledBack\`). Nobody waits for the first
  to end.
- **pauses**: taken; the walk goes on after \`start\`, with the domain that was in flight.
- a code: refused with it, and with the reason in words.

${groups.join('\n\n')}

\`locked\` is shown only during: ${locks.join('; ')}. Each ends soon and by itself, once every proxy has spoken (\`vipswap force\` goes on without those that are silent).

## An upgrade over a running one

- It begins with the domain in flight, which goes straight to the new target, so that never two domains are down. In the
  modes that go by themselves what is down anyway elsewhere (a crash loop, a domain left behind by another mode) goes along
  with it: a stuck deployment comes unstuck. \`--overlap\` gives Azure's way instead: the first domain at once, whatever is down.
- Without a configuration it takes the latest accepted one. One role's upgrade takes the other roles along to where they were
  going. The same target again is refused (\`identical_target\`), also while it is still being walked to.
- Roles, counts and endpoints may differ between what ran, the first target and the second. What belongs to neither end of the
  new walk (an added role that the second does not have, instances above both counts) leaves at once, drained, and its addresses
  close; what had begun to leave and is wanted stays; what had gone comes back without its local data, and the receipt says so.
- \`scale\` over a walk that adds or removes roles or changes counts takes its place as well, with its mode and its policy; over
  any other walk both go on. Such a walk in turn takes the place of a scale that has not ended, whose counts it then begins from.
- If its package cannot be used on a node, it fails and the deployment goes back to what last ran as a whole.

## Rollback

- It leads to what the deployment was **as a whole** last: after an upgrade over an upgrade to where the first came from. What
  lay between never ran as a whole, and instances that have not moved stay as they are.
- Allowed exactly while an instance is not on the new version or the last health check has not passed, and while a scale has
  not ended; never where the upgrade increased or added local storage, nor where the instances of a scale-down would exceed the
  quota when they come back, nor to where the walk leads anyway. \`rollbackAllowed\` says so before anyone asks.
- The domain in flight goes first, then those with something broken; no health is asked for. If an old instance does not start
  it stops there and ends \`Failed\`: what serves keeps serving, until a fresh \`upgrade\`, or \`rollback\` again.
- Counts changed beside a walk belong to both of its ends; a scale that has ended is not rolled back with it.
`
}

const [, script, target] = process.argv
if (script !== undefined && target !== undefined && import.meta.url === pathToFileURL(script).href)
  writeFileSync(target, operationsText())
