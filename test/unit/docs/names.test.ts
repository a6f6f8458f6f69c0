import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parseAllDocuments, isMap, isScalar, isSeq, type Node } from 'yaml'
import { commandLineText } from '../../../src/cli/publish-command-line.ts'
import { verbsOf } from '../../../src/cli/examples.ts'
import { createProgram } from '../../../src/cli/program.ts'
import { processTerminal } from '../../../src/cli/terminal.ts'
import { DEFAULT_LIMITS, DEFAULT_POLICY } from '../../../src/contracts/routing.ts'
import { ERRORS } from '../../../src/core/errors.ts'
import { emptyState } from '../../../src/fabric/state.ts'
import { renderSchemas } from '../../../src/model/publish-schemas.ts'
import { settingsText } from '../../../src/model/publish-settings.ts'
import { documents } from '../../support/documents.ts'
import { inlineCode, readFences } from '../../support/markdown.ts'
import { metricsOver } from '../../support/metrics.ts'

const DOCUMENTS = documents()
const PROGRAM = createProgram({ terminal: processTerminal(), setExitCode() {}, userCommand: [] })
const VERBS = new Map(verbsOf(PROGRAM).map(({ path, command }) => [path, command]))

t.test('docs/settings.md and docs/command-line.md are what the schemas and the program print', async t => {
  t.equal(
    readFileSync('docs/settings.md', 'utf8'),
    settingsText(),
    'run `npm run build && node dist/src/model/publish-settings.js docs/settings.md`',
  )
  t.equal(
    readFileSync('docs/command-line.md', 'utf8'),
    commandLineText(),
    'run `npm run build && node dist/src/cli/publish-command-line.js docs/command-line.md`',
  )
})

t.test('every key has a meaning, every verb an example', async t => {
  t.notMatch(settingsText(), /\|\s+\|$/m)
  t.equal(commandLineText().match(/^Example: /gm)?.length, VERBS.size)
})

t.test('every verb and flag that a page shows is one', async t => {
  let shown = 0
  for (const [page, text] of DOCUMENTS) {
    const lines = [
      ...readFences(text).flatMap(fence =>
        fence.language === 'sh' || fence.language === '' ? fence.text.split('\n') : [],
      ),
      ...inlineCode(text),
    ]
    for (const line of lines) {
      const [, words] = /^(?:npx )?vipswap ([a-z][^#|`;]*)/.exec(line) ?? []
      if (words === undefined) continue
      shown += 1
      t.equal(faultOf(words), null, `${page}: vipswap ${words}`)
    }
  }
  t.ok(shown > 80, `${shown} command lines`)
  t.equal(faultOf('deploy ./x --slots staging'), '--slots')
  t.equal(faultOf('deplyo ./x'), 'deplyo')
})

/** The first word that is no verb or no flag of it. */
function faultOf(line: string): string | null {
  const words = line.split(' -- ')[0]?.trim().split(/\s+/) ?? []
  const [first = '', second = ''] = words
  if (first === 'help') return null
  const command = VERBS.get(`${first} ${second}`) ?? VERBS.get(first)
  if (command === undefined) return first
  const known = [...command.options, ...(command.parent?.options ?? []), ...PROGRAM.options].flatMap(
    ({ short, long }) => [short, long],
  )
  // These read their own arguments; their description has them all.
  const own = ['controller', 'proxy', 'agent'].includes(first) ? command.description() : ''
  const flags = words.filter(word => /^--?[a-z]/.test(word)).map(word => word.replace(/[\]=,.:)].*$/, ''))
  return flags.find(flag => !known.includes(flag) && !own.includes(flag)) ?? null
}

t.test('every error code and metric that a page names is one', async t => {
  const { registry } = metricsOver(() =>
    emptyState('f', {
      vips: null,
      services: {},
      limits: DEFAULT_LIMITS,
      endpointDefaults: { maxBodyBytes: null, ejection: DEFAULT_POLICY.ejection },
      sizes: {},
      quota: null,
      nodeTimeoutMs: 300_000,
      portRange: { from: 1, to: 2 },
    }),
  )
  const metrics = new Set(registry.getMetricsAsArray().map(({ name }) => name))
  let named = 0
  for (const [page, text] of DOCUMENTS) {
    // The access log's fields are written like codes.
    const codes = page === 'docs/metrics.md' ? [] : inlineCode(text).filter(code => /^[a-z]+(?:_[a-z]+)+$/.test(code))
    for (const code of codes) {
      const isMetric = code.startsWith('vipswap_') && metrics.has(code.replace(/_(?:bucket|sum|count)$/, ''))
      // A system call's.
      const isOther = code === 'epoll_wait'
      t.ok(Object.hasOwn(ERRORS, code) || isMetric || isOther, `${page}: ${code}`)
      named += 1
    }
  }
  t.ok(named > 50, `${named} names`)
})

t.test('every name in camel case that a page mentions stands in the code', async t => {
  const code = sources()
  const names = [...DOCUMENTS].flatMap(([page, text]) =>
    inlineCode(text).flatMap(span =>
      (span.match(/\b[a-z]+(?:[A-Z][a-z0-9]*)+\b/g) ?? []).map(name => ({ page, name })),
    ),
  )
  for (const { page, name } of names) t.ok(code.has(name), `${page}: ${name}`)
  t.ok(names.length > 200, `${names.length} names`)
})

/** Every word of the sources. */
function sources(): Set<string> {
  const words = new Set<string>()
  for (const folder of ['src', 'proxy', 'agents', 'bench', 'test/integration/proxy'])
    for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' }))
      if (/\.(?:ts|tsx|c|mjs)$/.test(path))
        for (const [word] of readFileSync(join(folder, path), 'utf8').matchAll(/[A-Za-z_]\w*/g)) words.add(word)
  return words
}

t.test('every key in the YAML that a page shows is one', async t => {
  const { keys, maps } = knownKeys()
  let shown = 0
  const visit = (page: string, node: Node | null, free: boolean): void => {
    if (isSeq(node)) for (const item of node.items as Node[]) visit(page, item, false)
    if (!isMap(node)) return
    for (const { key, value } of node.items) {
      const name = isScalar(key) ? String(key.value) : ''
      shown += 1
      t.ok(free || keys.has(name), `${page}: ${name}`)
      // The value of a pair that was read from a text.
      visit(page, value as Node | null, !free && maps.has(name))
    }
  }
  for (const [page, text] of DOCUMENTS) {
    // Alert rules and the like are others' formats.
    for (const fence of readFences(text).filter(({ language }) => language === 'yaml'))
      for (const document of parseAllDocuments(fence.text)) visit(page, document.contents, false)
  }
  t.ok(shown > 60, `${shown} keys`)
})

/** Every key of the schemas, and those whose own keys are names that a person chooses. */
function knownKeys(): { keys: Set<string>; maps: Set<string> } {
  const keys = new Set<string>()
  const maps = new Set<string>()
  const visit = (node: unknown, name: string): void => {
    if (typeof node !== 'object' || node === null) return
    for (const [key, value] of Object.entries(node)) {
      if (key === 'patternProperties') maps.add(name)
      if (key === 'properties' && typeof value === 'object' && value !== null)
        for (const [property, inner] of Object.entries(value)) {
          keys.add(property)
          visit(inner, property)
        }
      else visit(value, name)
    }
  }
  for (const text of Object.values(renderSchemas())) visit(JSON.parse(text), '')
  return { keys, maps }
}
