import { parser } from '@prometheus-io/lezer-promql'

export interface Selected {
  readonly metric: string
  /** Labels it is matched by. */
  readonly matched: string[]
}

/** What an expression selects, and the labels it groups by; throws where it is not PromQL. */
export function readPromql(expression: string): { selected: Selected[]; grouped: string[] } {
  const selected: Selected[] = []
  const grouped: string[] = []
  let grouping = false
  const text = (node: { from: number; to: number }): string => expression.slice(node.from, node.to)
  parser.parse(expression).iterate({
    enter(node) {
      if (node.type.isError) throw new Error(`not PromQL at ${node.from}: ${expression}`)
      if (node.name === 'VectorSelector') {
        const name = node.node.getChild('Identifier')
        if (name === null) throw new Error(`a selector without a metric: ${expression}`)
        selected.push({ metric: text(name), matched: [] })
      }
      if (node.name === 'GroupingLabels') grouping = true
      if (node.name === 'LabelName') (grouping ? grouped : (selected.at(-1)?.matched ?? [])).push(text(node))
    },
    leave(node) {
      if (node.name === 'GroupingLabels') grouping = false
    },
  })
  return { selected, grouped }
}
