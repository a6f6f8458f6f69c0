import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { OperationView } from '../../../contracts/api/operation.ts'
import type { ServiceView } from '../../../contracts/api/service.ts'
import { timeline } from '../core/live.ts'
import { useQuery } from '../core/query.ts'
import { go, hrefs, type InstanceRoute, type Slot } from '../core/router.ts'
import { useShortcut } from '../core/shortcuts.ts'
import { useStore } from '../core/store.ts'
import { toneOf } from '../core/tones.ts'
import { InstancePanel } from '../service/instance-panel.tsx'
import { PackageDialog } from '../service/package-dialog.tsx'
import { useSeries } from '../service/series.ts'
import { SlotCard } from '../service/slot-card.tsx'
import { SwapControl } from '../service/swap-control.tsx'
import { SwapDialog } from '../service/swap-dialog.tsx'
import { Traffic } from '../service/traffic.tsx'
import { Bar, Callout, Empty } from '../ui/parts.tsx'
import { OperationTable } from './operations.tsx'
import { EventList } from './timeline.tsx'

const QUIET_POLL_MS = 1000
const BUSY_POLL_MS = 400
const LAST_EVENTS = 12

/** One service: its two slots side by side, what moves between them, and what happened. */
export function ServicePage({ name, instance }: { name: string; instance: InstanceRoute | null }): JSX.Element {
  const path = `/v1/services/${encodeURIComponent(name)}`
  const [busy, setBusy] = useState(false)
  const { data: service, error, at } = useQuery<ServiceView>(path, busy ? BUSY_POLL_MS : QUIET_POLL_MS)
  const series = useSeries(name)
  const [swapping, setSwapping] = useState(false)
  const [dropped, setDropped] = useState<{ file: File; slot: Slot } | null>(null)
  useShortcut('s', 'swap', () => setSwapping(true))
  if (service !== null && isBusy(service) !== busy) setBusy(isBusy(service))
  if (service === null) {
    return (
      <>
        <h1>{name}</h1>
        {error === null ? null : <Callout tone="bad">{error.message}</Callout>}
      </>
    )
  }
  // Production's version first, so that it has the first colour.
  for (const deployment of [service.slots.production, service.slots.staging]) {
    if (deployment !== null) toneOf(name, deployment.version)
  }
  return (
    <>
      <div class="page-head">
        <h1>{name}</h1>
        <Running operation={service.operation} />
      </div>
      <div class="slots">
        <SlotCard
          service={service}
          slot="production"
          at={at}
          series={series}
          onFile={file => setDropped({ file, slot: 'production' })}
        />
        <SwapControl service={service} onSwap={() => setSwapping(true)} />
        <SlotCard
          service={service}
          slot="staging"
          at={at}
          series={series}
          onFile={file => setDropped({ file, slot: 'staging' })}
        />
      </div>
      <Traffic service={name} series={series} />
      <div class="history">
        <LastOperations name={name} />
        <LastEvents name={name} />
      </div>
      {swapping ? <SwapDialog service={service} onClose={() => setSwapping(false)} /> : null}
      {dropped === null ? null : (
        <PackageDialog file={dropped.file} target={{ service, slot: dropped.slot }} onClose={() => setDropped(null)} />
      )}
      {instance === null ? null : (
        <InstancePanel
          key={`${instance.slot}/${instance.id}`}
          service={service}
          where={instance}
          onClose={() => go(hrefs.service(name))}
        />
      )}
    </>
  )
}

/** Something moves that has no event of its own. */
function isBusy({ operation, slots: { production, staging } }: ServiceView): boolean {
  return (
    operation !== null ||
    [production, staging].some(
      deployment =>
        deployment !== null &&
        (deployment.upgradeStatus !== undefined || deployment.roles.some(({ ready, instances }) => ready < instances)),
    )
  )
}

/** The operation that runs, in a place that is there anyway. */
function Running({ operation }: { operation: OperationView | null }): JSX.Element {
  if (operation === null) return <p class="running-line quiet">nothing is being changed</p>
  const { id, kind, progress } = operation
  return (
    <div class="running-line">
      <a href={hrefs.operation(id)}>
        {kind} <span class="mono">{id}</span>
      </a>
      <Bar share={progress.percent / 100} label={`progress of ${kind} ${id}`} />
      <span class="message">{progress.message}</span>
    </div>
  )
}

function LastOperations({ name }: { name: string }): JSX.Element {
  const { data } = useQuery<{ operations: readonly OperationView[] }>(
    `/v1/operations?service=${encodeURIComponent(name)}&limit=8`,
    3000,
  )
  return (
    <section aria-labelledby="operations-title">
      <h2 id="operations-title">
        <a href={hrefs.operations}>Operations</a>
      </h2>
      {data === null || data.operations.length === 0 ? (
        <Empty>Nothing was done yet.</Empty>
      ) : (
        <OperationTable operations={data.operations} brief />
      )}
    </section>
  )
}

function LastEvents({ name }: { name: string }): JSX.Element {
  const events = useStore(timeline)
  const last = []
  for (let i = events.length - 1; i >= 0 && last.length < LAST_EVENTS; i -= 1) {
    const event = events[i]
    if (event?.service === name) last.push(event)
  }
  return (
    <section aria-labelledby="events-title">
      <h2 id="events-title">
        <a href={hrefs.timeline}>Timeline</a>
      </h2>
      {last.length === 0 ? <Empty>Nothing happened yet.</Empty> : <EventList events={last} />}
    </section>
  )
}
