import type { JSX } from 'preact'
import type { OperationView } from '../../../contracts/api/operation.ts'
import type { ReceiptView } from '../../../contracts/api/receipt.ts'
import { act } from '../core/act.ts'
import { clock, count, day, duration } from '../core/format.ts'
import { useNow } from '../core/now.ts'
import { useQuery } from '../core/query.ts'
import { hrefs } from '../core/router.ts'
import { Receipt } from './receipt.tsx'
import { Button } from '../ui/button.tsx'
import { Bar, Callout, State } from '../ui/parts.tsx'
import { lookOfOperation } from '../ui/states.ts'

/** One operation: how it goes, and once it has ended its receipt. */
export function OperationPage({ id }: { id: string }): JSX.Element {
  const path = `/v1/operations/${encodeURIComponent(id)}`
  const { data: operation, error } = useQuery<OperationView>(path, 1000)
  const ended = operation !== null && operation.status !== 'InProgress'
  const receipt = useQuery<ReceiptView>(ended ? `${path}/receipt` : null, 10_000)
  const now = useNow()
  if (operation === null) {
    return (
      <>
        <Back />
        <h1>{id}</h1>
        {error === null ? null : <Callout tone="bad">{error.message}</Callout>}
      </>
    )
  }
  const { kind, service, slot, status, by, startedAt, endedAt, progress } = operation
  return (
    <>
      <Back />
      <div class="page-head">
        <h1>
          {kind} <span class="quiet mono">{id}</span>
        </h1>
        <State look={lookOfOperation(status)} />
      </div>
      <p class="quiet">
        {service === '' ? null : (
          <>
            <a href={hrefs.service(service)}>{service}</a>
            {slot === undefined ? '' : ` ${slot}`} ·{' '}
          </>
        )}
        {day(startedAt)}, {clock(startedAt)} · {by === null ? 'by a rule' : `by ${by}`} · {ended ? 'took' : 'runs for'}{' '}
        {duration((endedAt === undefined ? now : Date.parse(endedAt)) - Date.parse(startedAt))}
      </p>
      {operation.error === undefined ? null : (
        <Callout tone={status === 'RolledBack' || status === 'Cancelled' ? 'warn' : 'bad'}>
          {operation.error.message} <code>{operation.error.code}</code>
        </Callout>
      )}
      {ended ? null : (
        <section class="card running">
          <p>
            <strong>{progress.step}</strong> {progress.message}
          </p>
          <Bar share={progress.percent / 100} label={`progress of ${id}`} />
          {progress.domains === undefined ? null : (
            <p class="quiet">
              {progress.domains
                .map(({ domain, done, total }) => `UD ${domain}: ${count(done)}/${count(total)}`)
                .join(' · ')}
            </p>
          )}
          <Button kind="quiet" onClick={() => void act('Force', 'POST', `${path}/force`)}>
            Go on without silent peers
          </Button>
        </section>
      )}
      {receipt.data === null ? null : <Receipt receipt={receipt.data} />}
    </>
  )
}

function Back(): JSX.Element {
  return (
    <p class="back">
      <a href={hrefs.operations}>Operations</a>
    </p>
  )
}
