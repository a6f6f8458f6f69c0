import { readFileSync, writeFileSync } from 'node:fs'
import { checkedWords } from './checked.ts'
import type { Row } from './trial-run.ts'

// node dist/test/system/faults/publish.js ROWS.json SECURITY.md docs/faults.md: writes a table of the rows between the markers.

const BEGIN = '<!-- faults:begin -->'
const END = '<!-- faults:end -->'

const [rowsFile = '', ...documents] = process.argv.slice(2)
const { rows } = JSON.parse(readFileSync(rowsFile, 'utf8')) as { rows: Row[] }

for (const file of documents) {
  const text = readFileSync(file, 'utf8')
  const begin = text.indexOf(BEGIN)
  const end = text.indexOf(END)
  if (begin < 0 || end < begin) throw new Error(`${file} has no ${BEGIN} … ${END}`)
  const table = file.endsWith('SECURITY.md') ? losses() : everything()
  writeFileSync(file, `${text.slice(0, begin + BEGIN.length)}\n\n${table}\n\n${text.slice(end)}`)
}

/** What callers lost under which failure. */
function losses(): string {
  const lines = rows.flatMap(({ id, name, losses: lost, verdict }) => {
    if (lost === undefined || verdict === 'skipped') return []
    const how = Object.entries(lost.how).map(([way, count]) => `${count} ${way}`)
    const cells = [
      id,
      name,
      lost.requests - lost.refused,
      lost.lostIdempotent,
      lost.lostOther,
      lost.refused,
      how.join(', '),
    ]
    return [`| ${cells.join(' | ')} |`]
  })
  const head = '| | failure | requests | lost GETs | lost POSTs | connections refused | how |'
  return [head, '| --- | --- | --- | --- | --- | --- | --- |', ...lines].join('\n')
}

function everything(): string {
  const lines = rows.map(({ id, injected, expected, seen, verdict, why }) => {
    const cells = [id, injected, expected, seen, why.length === 0 ? verdict : `${verdict}: ${why.join('; ')}`]
    return `| ${cells.map(cell => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`
  })
  const made = rows.filter(({ checked }) => checked.length > 0)
  if (made.length > 0)
    lines.push(
      `| checkers | all rules of test/checkers over ${made.length} recordings | none is broken | ${checkedWords(made)} | |`,
    )
  return ['| | injected | expected | seen | verdict |', '| --- | --- | --- | --- | --- |', ...lines].join('\n')
}
