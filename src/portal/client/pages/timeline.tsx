import type { JSX } from 'preact'
import { useRef, useState } from 'preact/hooks'
import type { EventView } from '../../../contracts/api/event.ts'
import { clock, count, plural } from '../core/format.ts'
import { timeline } from '../core/live.ts'
import { hrefs } from '../core/router.ts'
import { useShortcut } from '../core/shortcuts.ts'
import { useStore } from '../core/store.ts'
import { Empty } from '../ui/parts.tsx'

const SHOWN = 200

/** One numbered timeline of everything, newest first. */
export function TimelinePage(): JSX.Element {
  const events = useStore(timeline)
  const [text, setText] = useState('')
  const [service, setService] = useState('')
  const [kind, setKind] = useState('')
  const field = useRef<HTMLInputElement>(null)
  useShortcut('/', 'filter the timeline', () => field.current?.focus())
  const wanted = text.toLowerCase()
  const found: EventView[] = []
  let matching = 0
  for (const event of events.toReversed()) {
    if (service !== '' && event.service !== service) continue
    if (kind !== '' && event.kind !== kind) continue
    if (wanted !== '' && !textOf(event).includes(wanted)) continue
    matching += 1
    if (found.length < SHOWN) found.push(event)
  }
  return (
    <>
      <div class="page-head">
        <h1>Timeline</h1>
        <div class="filters">
          <label class="filter">
            Filter
            <input
              ref={field}
              type="search"
              value={text}
              placeholder="text, id, instance"
              onInput={event => setText(event.currentTarget.value)}
            />
          </label>
          <Choice label="Service" value={service} values={events.map(each => each.service)} onChange={setService} />
          <Choice label="Kind" value={kind} values={events.map(each => each.kind)} onChange={setKind} />
        </div>
      </div>
      <p class="quiet count" role="status">
        {matching > SHOWN ? `the newest ${SHOWN} of ${plural(matching, 'event')}` : plural(matching, 'event')}
        {matching < events.length ? `, of ${count(events.length)} kept` : ''}
      </p>
      {found.length === 0 ? <Empty>Nothing matches.</Empty> : <EventList events={found} />}
    </>
  )
}

export function EventList({ events }: { events: readonly EventView[] }): JSX.Element {
  return (
    <ol class="events">
      {events.map(event => (
        <li key={event.seq} data-seq={event.seq}>
          <time dateTime={event.at} title={new Date(event.at).toLocaleString('en-GB')}>
            {clock(event.at)}
          </time>
          <span class="event-kind">{event.kind}</span>
          <span class="event-text">
            {event.message}
            {event.operation === undefined ? null : (
              <>
                {' '}
                <a class="mono" href={hrefs.operation(event.operation)}>
                  {event.operation}
                </a>
              </>
            )}
          </span>
        </li>
      ))}
    </ol>
  )
}

function Choice({
  label,
  value,
  values,
  onChange,
}: {
  label: string
  value: string
  values: readonly (string | undefined)[]
  onChange: (value: string) => void
}): JSX.Element {
  const named = [...values, value].flatMap(each => (each === undefined || each === '' ? [] : [each]))
  const known = [...new Set(named)].toSorted()
  return (
    <label class="filter">
      {label}
      <select value={value} onChange={event => onChange(event.currentTarget.value)}>
        <option value="">all</option>
        {known.map(each => (
          <option key={each}>{each}</option>
        ))}
      </select>
    </label>
  )
}

function textOf({ kind, message, instance, operation, deployment, service }: EventView): string {
  return [kind, message, instance, operation, deployment, service].join(' ').toLowerCase()
}
