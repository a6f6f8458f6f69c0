import { readFileSync } from 'node:fs'
import { parse } from 'yaml'

interface Shown {
  readonly where: string
  readonly expression: string
  /** `{{label}}` of legends and texts. */
  readonly labels: string[]
}

/** Every expression of docs/dashboards, with the labels it is shown by. Grafana's variables stand for a value. */
export function shownExpressions(): Shown[] {
  const { panels, annotations } = JSON.parse(readFileSync('docs/dashboards/vipswap.json', 'utf8')) as Dashboard
  const { groups } = parse(readFileSync('docs/dashboards/alerts.yaml', 'utf8')) as Alerts
  return [
    ...panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ expr, legendFormat }) => shown(title, expr, legendFormat)),
    ),
    ...annotations.list.map(({ name, expr }) => shown(name, expr, '')),
    ...groups.flatMap(({ rules }) =>
      rules.map(rule => shown(rule.alert, rule.expr, rule.annotations.summary + rule.annotations.description)),
    ),
  ]
}

function shown(where: string, expr: string, text: string): Shown {
  const labels = [...text.matchAll(/\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}/g)].map(([, label = '']) => label)
  const expression = expr.replaceAll('$__rate_interval', '1m').replaceAll('$service', '.+')
  return { where, expression, labels }
}

interface Dashboard {
  readonly panels: { readonly title: string; readonly targets?: { expr: string; legendFormat: string }[] }[]
  readonly annotations: { readonly list: { name: string; expr: string }[] }
}

interface Alerts {
  readonly groups: {
    readonly rules: { alert: string; expr: string; annotations: { summary: string; description: string } }[]
  }[]
}
