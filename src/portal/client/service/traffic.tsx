import type { TrafficPoint } from '../../../contracts/traffic.ts'
import type { JSX } from 'preact'
import { useMemo, useState } from 'preact/hooks'
import type { EventView } from '../../../contracts/api/event.ts'
import { duration, rate } from '../core/format.ts'
import { timeline } from '../core/live.ts'
import type { Slot } from '../core/router.ts'
import { useStore } from '../core/store.ts'
import { toneOf } from '../core/tones.ts'
import { Empty } from '../ui/parts.tsx'
import { Chart, type Line, type Mark } from './chart.tsx'
import type { SeriesRow } from './series.ts'

const SHOWN_MS = 310_000

/** What callers see, over the last five minutes. */
export function Traffic({ service, series }: { service: string; series: readonly TrafficPoint[] | null }): JSX.Element {
  const [slot, setSlot] = useState<Slot>('production')
  const events = useStore(timeline)
  const marks = useMemo(() => marksOf(events, service), [events, service])
  const charts = useMemo(() => chartsOf(service, slot, series ?? []), [service, slot, series])
  return (
    <section aria-labelledby="traffic-title">
      <div class="section-head">
        <h2 id="traffic-title">Traffic</h2>
        <div class="choice" role="group" aria-label="of which slot">
          {(['production', 'staging'] as const).map(each => (
            <button key={each} type="button" aria-pressed={slot === each} onClick={() => setSlot(each)}>
              {each}
            </button>
          ))}
        </div>
      </div>
      {series === null ? (
        <Empty>This controller keeps no traffic series.</Empty>
      ) : (
        <div class="charts">
          <Chart
            title="Requests/s by version"
            times={charts.times}
            lines={charts.requests}
            marks={marks}
            format={rate}
          />
          <Chart
            title="Latency p50 / p99"
            times={charts.times}
            lines={charts.latency}
            marks={marks}
            format={duration}
          />
          <Chart title="Errors/s" times={charts.times} lines={charts.errors} marks={marks} format={rate} />
          <Chart title="In flight, held" times={charts.times} lines={charts.load} marks={marks} format={rate} />
        </div>
      )}
    </section>
  )
}

function chartsOf(service: string, slot: Slot, points: readonly TrafficPoint[]) {
  const times = points.map(({ at }) => Date.parse(at) / 1000)
  const rows = points.map(point => point.rows.filter(row => row.slot === slot))
  const versions = [
    ...new Set(rows.flat().flatMap(({ version }) => (version === null || version === '' ? [] : [version]))),
  ]
  const color = (version: string): string => `--tone-${toneOf(service, version)}`
  const sum = (of: (row: SeriesRow) => number): number[] =>
    rows.map(each => each.reduce((all, row) => all + of(row), 0))
  const worst = (version: string, of: (row: SeriesRow) => number | null): (number | null)[] =>
    rows.map(each => {
      const known = each.flatMap(row => (row.version === version ? (of(row) ?? []) : []))
      return known.length === 0 ? null : Math.max(...known)
    })
  const requests: Line[] = versions.map(version => ({
    label: version,
    key: version,
    color: color(version),
    values: gone(sum(row => (row.version === version ? row.requests : 0))),
    filled: true,
  }))
  const latency: Line[] = versions.flatMap(version => [
    {
      key: version,
      label: `${version} p50`,
      color: color(version),
      values: worst(version, row => row.p50Ms),
      dashed: true,
    },
    { key: version, label: `${version} p99`, color: color(version), values: worst(version, row => row.p99Ms) },
  ])
  const errors: Line[] = [
    { key: 'errors', label: 'errors', color: '--bad', values: sum(row => row.errors), filled: true },
  ]
  const load: Line[] = [
    { key: 'in flight', label: 'in flight', color: '--ink-soft', values: sum(row => row.open) },
    { key: 'held', label: 'held', color: '--warn', values: sum(row => row.held), dashed: true },
  ]
  return { times, requests, latency, errors, load }
}

/** Nothing, rather than 0, before and after the seconds in which a version served. */
function gone(values: readonly number[]): (number | null)[] {
  const first = values.findIndex(value => value > 0)
  const last = values.findLastIndex(value => value > 0)
  return values.map((value, i) => (i < first - 1 || i > last + 1 ? null : value))
}

/** Swaps and domains of the service, as moments. */
function marksOf(events: readonly EventView[], service: string): Mark[] {
  // Times of this form compare as text.
  const since = new Date(Date.now() - SHOWN_MS).toISOString()
  const marks: Mark[] = []
  for (let i = events.length - 1; i >= 0; i -= 1) {
    const event = events[i]
    if (event === undefined || event.at < since) break
    const text = event.service === service ? wordOf(event) : null
    if (text !== null) marks.push({ at: Date.parse(event.at) / 1000, text })
  }
  return marks.toReversed()
}

function wordOf({ kind, message }: EventView): string | null {
  switch (kind) {
    case 'operation-ended':
      return message === 'swap Succeeded' ? 'swap' : null
    case 'domain-ended':
      return message.replace(/^domain (\d+).*$/, 'UD $1')
    case 'upgrade-failed':
      return 'failed'
    case 'rollback-completed':
      return 'rolled back'
    default:
      return null
  }
}
