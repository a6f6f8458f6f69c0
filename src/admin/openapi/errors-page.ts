import { existsSync, readFileSync } from 'node:fs'
import { ERRORS } from '../../core/errors.ts'
import { escape, page, prose } from './html.ts'

/** Beside `dist/`; run from the sources there is none at that place. */
const DOCS = new URL('../../../../docs/errors.md', import.meta.url)

/** Every code, as docs/errors.md explains it: what `type` of a problem leads to. */
export function errorsPage(): string {
  const docs = existsSync(DOCS) ? readFileSync(DOCS, 'utf8') : ''
  const known = new Map(
    [...docs.matchAll(/^\| `(\w+)` \| \d+ \| (.*) \| (.*) \|$/gm)].map(([, code = '', meaning = '', remedy = '']) => [
      code,
      { meaning, remedy },
    ]),
  )
  const rows = Object.entries(ERRORS).map(([code, { status }]) => {
    const { meaning, remedy } = known.get(code) ?? { meaning: '', remedy: '' }
    return `<tr id="${escape(code)}"><td><code>${escape(code)}</code></td><td>${status}</td><td>${prose(meaning)}</td><td>${prose(remedy)}</td></tr>`
  })
  return page(
    'vipswap error codes',
    `<h1>Error codes</h1>
<p>Every error of the <a href="/api">API</a> is a problem detail (RFC 9457) with one of these in <code>code</code>.</p>
<table><thead><tr><th>code</th><th>status</th><th>meaning</th><th>what to do</th></tr></thead>
<tbody>${rows.join('\n')}</tbody></table>`,
  )
}
