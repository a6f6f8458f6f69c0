import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { OperationView } from '../../../contracts/api/operation.ts'
import { duration } from '../core/format.ts'
import { useNow } from '../core/now.ts'
import { useQuery } from '../core/query.ts'
import { hrefs } from '../core/router.ts'
import { Age, Bar, Callout, Empty, State } from '../ui/parts.tsx'
import { lookOfOperation } from '../ui/states.ts'

/** Everything that was done and is being done, newest first. */
export function OperationsPage(): JSX.Element {
  const [service, setService] = useState('')
  const { data, error } = useQuery<{ operations: readonly OperationView[] }>('/v1/operations?limit=200')
  const operations = data?.operations ?? []
  const services = [...new Set(operations.map(each => each.service).filter(name => name !== ''))].toSorted()
  return (
    <>
      <div class="page-head">
        <h1>Operations</h1>
        <label class="filter">
          Service
          <select value={service} onChange={event => setService(event.currentTarget.value)}>
            <option value="">all</option>
            {services.map(name => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
      </div>
      {data === null && error !== null ? <Callout tone="bad">{error.message}</Callout> : null}
      {data !== null && operations.length === 0 ? <Empty>Nothing was done yet.</Empty> : null}
      <OperationTable operations={operations.filter(each => service === '' || each.service === service)} />
    </>
  )
}

/** `brief`: of one service, in little room. */
export function OperationTable({
  operations,
  brief = false,
}: {
  operations: readonly OperationView[]
  brief?: boolean
}): JSX.Element | null {
  const now = useNow()
  if (operations.length === 0) return null
  return (
    <div class="table-box" tabIndex={0} role="region" aria-label="operations">
      <table class="table">
        <thead>
          <tr>
            <th scope="col">Operation</th>
            <th scope="col">State</th>
            <th scope="col">{brief ? 'Slot' : 'Of'}</th>
            {brief ? null : <th scope="col">By</th>}
            {brief ? null : <th scope="col">What</th>}
            <th scope="col" class="number">
              Took
            </th>
            <th scope="col" class="number">
              Ago
            </th>
          </tr>
        </thead>
        <tbody>
          {operations.map(operation => (
            <tr key={operation.id}>
              <th scope="row" class="nowrap">
                <a href={hrefs.operation(operation.id)}>
                  {operation.kind} <span class="quiet mono">{operation.id}</span>
                </a>
              </th>
              <td>
                <State look={lookOfOperation(operation.status)} {...titleOf(operation)} />
              </td>
              <td class="nowrap">
                {brief ? null : `${operation.service} `}
                <span class="quiet">{operation.slot ?? (brief ? 'both' : '')}</span>
              </td>
              {brief ? null : <td class="quiet nowrap">{operation.by ?? 'a rule'}</td>}
              {brief ? null : <What operation={operation} />}
              <td class="number nowrap">{duration(endOf(operation, now) - Date.parse(operation.startedAt))}</td>
              <td class="number nowrap">
                <Age at={operation.startedAt} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function What({ operation: { id, status, progress, error } }: { operation: OperationView }): JSX.Element {
  return (
    <td class="message">
      {status === 'InProgress' ? <Bar share={progress.percent / 100} label={`progress of ${id}`} /> : null}
      {error?.message ?? progress.message}
    </td>
  )
}

function titleOf({ error, progress }: OperationView): { title: string } {
  return { title: error?.message ?? progress.message }
}

function endOf({ endedAt }: OperationView, now: number): number {
  return endedAt === undefined ? now : Date.parse(endedAt)
}
