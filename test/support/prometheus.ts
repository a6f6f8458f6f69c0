const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`)

export interface Family {
  readonly type: string
  readonly help: string
  readonly samples: { readonly name: string; readonly labels: Record<string, string>; readonly value: number }[]
}

/**
 * Reads the text exposition format (0.0.4) strictly: throws at a line it does not know, a family without HELP and TYPE or
 * told twice, a sample outside its family, a duplicate series, a counter that is negative or lacks `_total`, and a histogram
 * whose buckets fall or do not reach its count.
 */
export function parsePrometheus(text: string): Map<string, Family> {
  const families = new Map<string, Family>()
  const seen = new Set<string>()
  let help: [name: string, help: string] | null = null
  let current: [name: string, family: Family] | null = null
  if (!text.endsWith('\n')) throw new Error('the last line has no end')
  for (const line of text.split('\n')) {
    if (line === '') continue
    const comment = new RegExp(`^# (HELP|TYPE) (${NAME}) (.+)$`).exec(line)
    if (comment !== null) {
      const [, kind, name = '', rest = ''] = comment
      if (kind === 'HELP') help = [name, rest]
      else {
        if (help?.[0] !== name) throw new Error(`no HELP before TYPE ${name}`)
        if (families.has(name)) throw new Error(`${name} is told twice`)
        if (!['counter', 'gauge', 'histogram'].includes(rest)) throw new Error(`type ${rest}`)
        if ((rest === 'counter') !== name.endsWith('_total')) throw new Error(`${name} is a ${rest}`)
        current = [name, { type: rest, help: help[1], samples: [] }]
        families.set(...current)
      }
      continue
    }
    const [, name = '', labelText = '', valueText = ''] = SAMPLE.exec(line) ?? []
    if (current === null || name === '') throw new Error(`not a sample: ${line}`)
    const [family, { type, samples }] = current
    const names = type === 'histogram' ? [`${family}_bucket`, `${family}_sum`, `${family}_count`] : [family]
    if (!names.includes(name)) throw new Error(`${name} within ${family}`)
    const labels = parseLabels(labelText)
    const key = `${name} ${JSON.stringify(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)))}`
    if (seen.has(key)) throw new Error(`twice: ${key}`)
    seen.add(key)
    const value = valueText === '+Inf' ? Infinity : Number(valueText)
    if (Number.isNaN(value) || (type !== 'gauge' && value < 0)) throw new Error(`value of ${line}`)
    samples.push({ name, labels, value })
  }
  for (const [name, family] of families) if (family.type === 'histogram') checkHistogram(name, family)
  return families
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {}
  let rest = text
  while (rest !== '') {
    const [all, name = '', value = ''] = LABEL.exec(rest) ?? []
    if (all === undefined) throw new Error(`labels: ${text}`)
    if (name in labels) throw new Error(`label ${name} twice`)
    labels[name] = value.replaceAll(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped))
    rest = rest.slice(all.length)
  }
  return labels
}

function checkHistogram(name: string, { samples }: Family): void {
  const last = new Map<string, { le: number; value: number }>()
  for (const { name: sample, labels, value } of samples) {
    const { le, ...others } = labels
    const key = JSON.stringify(others)
    const before = last.get(key)
    if (sample === `${name}_bucket`) {
      const bound = le === '+Inf' ? Infinity : Number(le)
      if (Number.isNaN(bound)) throw new Error(`le ${le}`)
      if (before !== undefined && (bound <= before.le || value < before.value))
        throw new Error(`${name} falls at ${le}`)
      last.set(key, { le: bound, value })
    } else if (before?.le !== Infinity) throw new Error(`${name} has no bucket for all`)
    else if (sample === `${name}_count` && before.value !== value) throw new Error(`${name} does not add up`)
  }
}
