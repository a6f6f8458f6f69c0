import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { documents } from '../../support/documents.ts'
import { anchors, inlineCode } from '../../support/markdown.ts'

const DOCUMENTS = documents()
const MAX_LINES = 80

t.test('every link leads to a file, and to a heading of it', async t => {
  let links = 0
  for (const [page, text] of DOCUMENTS) {
    const prose = text.replaceAll(/^```[\s\S]*?^```$/gm, '').replaceAll(/`[^`\n]*`/g, '')
    const targets = [...prose.matchAll(/\]\(([^()\s]+)\)|(?:src|srcset)="([^"]+)"/g)].map(
      ([, link, image]) => link ?? image ?? '',
    )
    for (const target of targets) {
      if (/^https?:/.test(target)) continue
      links += 1
      const [path = '', anchor] = target.split('#')
      const file = path === '' ? page : join(dirname(page), path)
      t.ok(existsSync(file), `${page}: ${target}`)
      if (anchor !== undefined) t.ok(anchors(readFileSync(file, 'utf8')).has(anchor), `${page}: ${target} is a heading`)
    }
  }
  t.ok(links > 100, `${links} links`)
})

t.test('every path of the project that a page names is there', async t => {
  const FOLDERS = /^(?:\.\/)?((?:src|proxy|agents|docs|test|bench|examples|dist)\/[\w./@-]*\w)\/?$/
  let paths = 0
  for (const [page, text] of DOCUMENTS) {
    const commands = [...text.matchAll(/\bdist\/[\w./-]+\.js\b/g)].map(([path]) => path)
    for (const code of [...inlineCode(text), ...commands]) {
      const [, path] = FOLDERS.exec(code) ?? []
      if (path === undefined) continue
      paths += 1
      const source = path.replace(/^dist\/(.*)\.js$/, '$1.ts')
      // Some pages name what is below their own folder.
      t.ok(existsSync(source) || existsSync(join(dirname(page), source)), `${page}: ${path}`)
    }
  }
  t.ok(paths > 50, `${paths} paths`)
})

t.test('the index names every page of docs', async t => {
  const index = DOCUMENTS.get('docs/README.md') ?? ''
  for (const page of DOCUMENTS.keys()) {
    const [, name] = /^docs\/([\w-]+\.md)$/.exec(page) ?? []
    if (name !== undefined && name !== 'README.md') t.ok(index.includes(`(${name})`), name)
  }
})

t.test(`a folder's README has at most ${MAX_LINES} lines`, async t => {
  for (const [page, text] of DOCUMENTS)
    if (page !== 'README.md' && page.endsWith('README.md'))
      t.ok(text.trimEnd().split('\n').length <= MAX_LINES, `${page}: ${text.trimEnd().split('\n').length}`)
})
