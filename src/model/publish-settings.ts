import { writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { renderSchemas } from './publish-schemas.ts'

/** The parts of a published JSON Schema that a page shows. */
interface Node {
  readonly type?: string
  readonly const?: string | boolean
  readonly default?: unknown
  readonly description?: string
  readonly properties?: Readonly<Record<string, Node>>
  readonly patternProperties?: Readonly<Record<string, Node>>
  readonly anyOf?: readonly Node[]
  readonly items?: Node
  readonly required?: readonly string[]
}

interface Row {
  readonly path: string
  readonly fallback: string
  readonly meaning: string
}

const FILES = [
  ['service.schema.json', 'service.yaml', 'What a package is: [packages and configurations](service-yaml.md).'],
  ['configuration.schema.json', 'service.config.yaml', 'What changes without a new package: `vipswap config apply`.'],
  ['upgrade-policy.schema.json', 'An upgrade policy', '`--policy FILE`: [upgrades](upgrades.md#policies).'],
  ['vipswap.schema.json', 'vipswap.yaml', "The fabric's own: `--config` of `up` and `controller`."],
] as const

/** docs/settings.md: every key that a person may write, from the schemas that check the files. */
export function settingsText(): string {
  const schemas = renderSchemas()
  const parts = FILES.map(([file, title, about]) => {
    // Written by the schemas above.
    const rows = settingRows(JSON.parse(schemas[file] ?? '{}') as Node)
    const lines = rows.map(({ path, fallback, meaning }) => `| \`${path}\` | ${fallback} | ${meaning} |`)
    return `## ${title}\n\n${about}\n\n| key | default | meaning |\n| --- | --- | --- |\n${lines.join('\n')}\n`
  })
  return `# Every key of every file

Printed from the schemas in \`src/model\` that check the files: \`node dist/src/model/publish-settings.js docs/settings.md\`; a test keeps
the two equal. NAME stands for a name of yours, \`[]\` for each entry of a list. JSON is taken as well as YAML; an unknown key is a
fault, shown with its line and the nearest known one. For editors: [schema](schema/README.md).

${parts.join('\n')}`
}

/** One row for each key of a schema, in its order; what has the keys of an earlier one refers to it. */
export function settingRows(schema: Node): Row[] {
  const earlier = new Map<string, string>()
  const rows: Row[] = []
  const visit = (node: Node, prefix: string): void => {
    for (const [key, value] of Object.entries(node.properties ?? {})) {
      if (key === '$schema') continue
      const path = `${prefix}${key}`
      const below = variants(value).filter(each => each.properties ?? each.patternProperties ?? each.items)
      const shape = JSON.stringify(below.map(each => each.properties ?? each.patternProperties ?? each.items))
      const same = below.some(hasKeys) ? earlier.get(shape) : undefined
      const keys = same === undefined ? '' : ` Keys as of \`${same}\`.`
      rows.push({
        path,
        fallback: fallbackOf(value, node.required?.includes(key) === true),
        meaning: `${meaningOf(value)}${keys}`.replaceAll('|', '\\|').replaceAll('<', '&lt;').trim(),
      })
      if (same !== undefined) continue
      if (below.length > 0) earlier.set(shape, path)
      for (const each of below) descend(each, path)
    }
  }
  const descend = (node: Node, path: string): void => {
    visit(node, `${path}.`)
    for (const value of Object.values(node.patternProperties ?? {}))
      for (const each of variants(value)) visit(each, `${path}.NAME.`)
    if (node.items !== undefined) for (const each of variants(node.items)) visit(each, `${path}[].`)
  }
  visit(schema, '')
  return rows
}

function variants(node: Node): readonly Node[] {
  return node.anyOf ?? [node]
}

function hasKeys({ properties, patternProperties, items }: Node): boolean {
  const inner = [...Object.values(patternProperties ?? {}), ...(items === undefined ? [] : [items])]
  return properties !== undefined || inner.some(each => variants(each).some(hasKeys))
}

function fallbackOf(node: Node, required: boolean): string {
  if (node.default !== undefined)
    return `\`${typeof node.default === 'string' ? node.default : JSON.stringify(node.default)}\``
  return required ? 'required' : ''
}

function meaningOf(node: Node): string {
  const choices = variants(node).flatMap(each => (each.const === undefined ? [] : [`\`${each.const}\``]))
  const one = choices.length > 1 ? `One of ${choices.join(', ')}.` : ''
  return [node.description ?? '', one].filter(Boolean).join(' ')
}

// `node dist/src/model/publish-settings.js docs/settings.md` after a change of a schema.
const [, script, target] = process.argv
if (script !== undefined && target !== undefined && import.meta.url === pathToFileURL(script).href)
  writeFileSync(target, settingsText())
