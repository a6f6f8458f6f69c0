import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'
import { shownTheme } from '../core/theme.ts'
import { useStore } from '../core/store.ts'

export interface Line {
  readonly label: string
  /** In the legend; lines may share one. */
  readonly key: string
  /** A CSS variable of the page, `--tone-0`. */
  readonly color: string
  readonly values: readonly (number | null)[]
  readonly dashed?: boolean
  readonly filled?: boolean
}

export interface Mark {
  /** Seconds since 1970. */
  readonly at: number
  readonly text: string
}

interface Props {
  readonly title: string
  /** Seconds since 1970, one for each value. */
  readonly times: readonly number[]
  readonly lines: readonly Line[]
  readonly marks: readonly Mark[]
  readonly format: (value: number) => string
}

const HEIGHT = 148
const LEAST_SPAN_S = 60

/** One chart over the last five minutes; its legend has the latest values, so that nothing is told by the drawing alone. */
export function Chart({ title, times, lines, marks, format }: Props): JSX.Element {
  const box = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | null>(null)
  const shown = useRef<Pick<Props, 'marks' | 'format'>>({ marks, format })
  shown.current = { marks, format }
  const colors = useStore(shownTheme)
  const shape = lines
    .map(({ label, color, dashed, filled }) => `${label} ${color} ${String(dashed)} ${String(filled)}`)
    .join('\n')

  useEffect(() => {
    const parent = box.current
    if (parent === null) return undefined
    const chart = new uPlot(optionsOf(parent, lines, shown), dataOf(times, lines), parent)
    plot.current = chart
    const watcher = new ResizeObserver(() => chart.setSize({ width: parent.clientWidth, height: HEIGHT }))
    watcher.observe(parent)
    return () => {
      watcher.disconnect()
      chart.destroy()
      plot.current = null
    }
    // Values alone do not build it anew.
  }, [shape, colors])

  useEffect(() => {
    plot.current?.setData(dataOf(times, lines))
  }, [times, lines])

  return (
    <figure class="chart">
      <figcaption>
        <span class="chart-title">{title}</span>
        <span class="legend">
          {keysOf(lines).map(({ key, color, dashed, values }) => (
            <span key={key} class={dashed ? 'key key-dashed' : 'key'} style={{ '--key': `var(${color})` }}>
              {key} <b>{values.map(value => (value == null ? '–' : format(value))).join(' / ')}</b>
            </span>
          ))}
        </span>
      </figcaption>
      <div ref={box} class="plot" aria-hidden="true" />
    </figure>
  )
}

/** Lines of one key share an entry, with their latest values; what has none at all just now is left out. */
function keysOf(lines: readonly Line[]) {
  const keys = new Map<string, { key: string; color: string; dashed: boolean; values: (number | null | undefined)[] }>()
  for (const { key, color, dashed = false, values } of lines) {
    const entry = keys.get(key)
    if (entry === undefined) keys.set(key, { key, color, dashed, values: [values.at(-1)] })
    else entry.values.push(values.at(-1))
  }
  const all = [...keys.values()]
  return all.length === 1 ? all : all.filter(({ values }) => values.some(value => value != null))
}

/** All there is, and at least a minute: a young service should not be a spike at the edge. */
function rangeOf(min: number | null, max: number | null): [number, number] {
  const end = max ?? Date.now() / 1000
  return [Math.min(min ?? end, end - LEAST_SPAN_S), end]
}

function dataOf(times: readonly number[], lines: readonly Line[]): uPlot.AlignedData {
  return [[...times], ...lines.map(({ values }) => [...values])]
}

function optionsOf(
  parent: HTMLElement,
  lines: readonly Line[],
  shown: { readonly current: Pick<Props, 'marks' | 'format'> },
): uPlot.Options {
  const style = getComputedStyle(parent)
  const color = (name: string): string => style.getPropertyValue(name).trim()
  const font = `11px ${style.fontFamily}`
  const axis = { stroke: color('--quiet'), font, ticks: { show: false }, grid: { stroke: color('--line'), width: 1 } }
  return {
    width: parent.clientWidth,
    height: HEIGHT,
    padding: [14, 26, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: 'traffic' }, drag: { x: false, y: false }, points: { size: 6 } },
    scales: {
      x: { time: true, range: (_plot, min, max) => rangeOf(min, max) },
      // Never a flat line in the middle of nowhere.
      y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.15 : 1] },
    },
    axes: [
      { ...axis, grid: { show: false }, size: 22, space: 70, values: (_plot, ticks) => timesOf(ticks) },
      { ...axis, size: 52, space: 34, values: (_plot, ticks) => ticks.map(tick => shown.current.format(tick)) },
    ],
    series: [
      {},
      ...lines.map(line => ({
        label: line.label,
        stroke: color(line.color),
        width: 1.5,
        points: { show: false },
        spanGaps: false,
        ...(line.dashed === true ? { dash: [4, 3] } : {}),
        ...(line.filled === true ? { fill: `color-mix(in srgb, ${color(line.color)} 14%, transparent)` } : {}),
      })),
    ],
    hooks: { draw: [plot => drawMarks(plot, shown.current.marks, color('--ink-soft'), font)] },
  }
}

/** A dashed line at each moment, with its word where there is room beside the one before. */
function drawMarks(plot: uPlot, marks: readonly Mark[], color: string, font: string): void {
  const { ctx, bbox } = plot
  const ratio = devicePixelRatio
  let free = -Infinity
  ctx.save()
  ctx.strokeStyle = color
  ctx.fillStyle = color
  ctx.font = font.replace('11px', `${10 * ratio}px`)
  ctx.lineWidth = ratio
  ctx.setLineDash([2 * ratio, 3 * ratio])
  for (const { at, text } of marks) {
    const x = Math.round(plot.valToPos(at, 'x', true)) + 0.5
    if (x < bbox.left || x > bbox.left + bbox.width) continue
    ctx.beginPath()
    ctx.moveTo(x, bbox.top)
    ctx.lineTo(x, bbox.top + bbox.height)
    ctx.stroke()
    const width = ctx.measureText(text).width
    const left = Math.min(x - width / 2, bbox.left + bbox.width - width)
    if (left < free) continue
    ctx.fillText(text, left, bbox.top - 4 * ratio)
    free = left + width + 6 * ratio
  }
  ctx.restore()
}

/** With seconds where ticks are closer than minutes. */
function timesOf(ticks: readonly number[]): string[] {
  const [first = 0, second = first + 60] = ticks
  const fine = second - first < 60
  return ticks.map(tick =>
    new Date(tick * 1000).toLocaleTimeString('en-GB', {
      hour: '2-digit',
      minute: '2-digit',
      ...(fine ? { second: '2-digit' } : {}),
    }),
  )
}
