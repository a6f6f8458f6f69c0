import type pc from 'picocolors'
import type { DeploymentView } from '../../contracts/api/deployment.ts'
import type { InstanceView } from '../../contracts/api/instance.ts'

type Colors = ReturnType<typeof pc.createColors>
type Paint = (text: string) => string

/** One sign for each state, so that colour is never alone. */
const SIGNS = {
  ReadyRole: '●',
  BusyRole: '◐',
  StartingRole: '◔',
  StoppingRole: '◌',
  StoppedVM: '○',
  CyclingRole: '↻',
  FailedStartingRole: '✗',
  UnresponsiveRole: '!',
  RoleStateUnknown: '?',
} as const satisfies Record<InstanceView['status'], string>

const DONE = { done: '✓', during: '▶', pending: '·', skipped: '-' } as const

/** A row for each role, a column for each upgrade domain, in it each instance's version and state; below, what signs mean. */
export function domainGrid(deployment: DeploymentView, colors: Colors, indent = ''): string {
  const domains = [...new Set(deployment.instances.map(each => each.upgradeDomain))].toSorted((a, b) => a - b)
  const versions = [...new Set(deployment.instances.map(each => each.version))].toSorted()
  const states = new Map(deployment.upgradeStatus?.domains.map(each => [each.domain, each.state]))
  const header: Cell[] = ['', ...domains.map(domain => titleOf(domain, states.get(domain)))].map(text => [{ text }])
  const rows = deployment.roles.map((role): Cell[] => [
    [{ text: role.name }],
    ...domains.map(domain =>
      deployment.instances
        .filter(each => each.role === role.name && each.upgradeDomain === domain)
        .map(each => ({ text: cellOf(each), paint: paintOf(each, versions, colors) })),
    ),
  ])
  const shown = [...new Set(deployment.instances.map(each => each.status))]
  const legend = shown.map(status => `${SIGNS[status]} ${status}`).join('  ')
  return [...align([header, ...rows]), ...(legend === '' ? [] : [legend])].map(line => indent + line).join('\n')
}

interface Part {
  readonly text: string
  readonly paint?: Paint
}
type Cell = readonly Part[]

function titleOf(domain: number, state: keyof typeof DONE | undefined): string {
  return state === undefined ? `domain ${domain}` : `domain ${domain} ${DONE[state]}`
}

/** `●0 1.0.0`; one that gets no requests is in brackets. */
function cellOf({ id, status, version, routing }: InstanceView): string {
  const text = `${SIGNS[status]}${id.slice(id.lastIndexOf('_') + 1)} ${version}`
  return routing === 'in' || status !== 'ReadyRole' ? text : `(${text})`
}

/** Trouble is red, whatever the version; else the oldest and the newest version have a colour each. */
function paintOf({ status, version }: InstanceView, versions: readonly string[], colors: Colors): Paint {
  if (['CyclingRole', 'FailedStartingRole', 'UnresponsiveRole'].includes(status)) return colors.red
  if (status !== 'ReadyRole') return colors.yellow
  return versions.length > 1 && version === versions.at(-1) ? colors.green : colors.cyan
}

/** Widths are those of the text, without its colours. */
function align(rows: readonly (readonly Cell[])[]): string[] {
  const plain = (cell: Cell): string => cell.map(({ text }) => text).join(' ')
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map(row => plain(row[column] ?? []).length))) ?? []
  return rows.map(row =>
    row
      .map((cell, column) => {
        const painted = cell.map(({ text, paint }) => (paint === undefined ? text : paint(text))).join(' ')
        return painted + ' '.repeat((widths[column] ?? 0) - plain(cell).length)
      })
      .join('  ')
      .trimEnd(),
  )
}
