import type { ComponentChildren, JSX } from 'preact'
import type { Latency } from '../../../contracts/traffic.ts'
import type { ReceiptView } from '../../../contracts/api/receipt.ts'
import { clock, count, duration } from '../core/format.ts'
import { Callout, Signers } from '../ui/parts.tsx'

/** What an operation did to the traffic. */
export function Receipt({ receipt }: { receipt: ReceiptView }): JSX.Element {
  const { totals, switchMs, signedBy, from, to, domains, remarks, note, complete } = receipt
  const changed = [...new Set([...Object.keys(from), ...Object.keys(to)])].filter(key => from[key] !== to[key])
  return (
    <section aria-label="receipt" class="receipt">
      {complete ? null : (
        <Callout tone="warn">This receipt is not complete: {note ?? 'a proxy could not be read'}</Callout>
      )}
      {remarks.map(remark => (
        <Callout key={remark} tone="warn">
          {remark}
        </Callout>
      ))}
      <Signers signedBy={signedBy} />
      <dl class="figures">
        <Figure
          name="broken"
          tone={totals.broken === 0 ? 'good' : 'bad'}
          below={causesOf(totals.brokenBy) || 'none lost'}
        >
          {count(totals.broken)}
        </Figure>
        <Figure name="requests" below={`${count(totals.answered)} answered, ${count(totals.refused)} refused`}>
          {count(totals.arrived)}
        </Figure>
        <Figure name="held" below={totals.held === 0 ? 'none waited' : `at most ${duration(totals.heldMaxMs)}`}>
          {count(totals.held)}
        </Figure>
        <Figure name="replayed" below={`${count(totals.clientGone)} clients left first`}>
          {count(totals.replayed)}
        </Figure>
        {receipt.drained === null ? null : (
          <Figure name="drained" below={`and ${count(receipt.drained.tunnels)} tunnels ended`}>
            {count(receipt.drained.connections)}
          </Figure>
        )}
        {switchMs === null ? null : (
          <Figure name="switched in" below="to the last acknowledgement">
            {duration(switchMs)}
          </Figure>
        )}
      </dl>
      {changed.length === 0 ? null : (
        <div class="table-box" tabIndex={0} role="region" aria-label="what changed">
          <table class="table">
            <thead>
              <tr>
                <th scope="col">Changed</th>
                <th scope="col">From</th>
                <th scope="col">To</th>
              </tr>
            </thead>
            <tbody>
              {changed.map(key => (
                <tr key={key}>
                  <th scope="row">{key}</th>
                  <td class="mono clip">{from[key] ?? 'nothing'}</td>
                  <td class="mono clip">{to[key] ?? 'nothing'}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <TrafficTable receipt={receipt} />
      <LatencyTable latency={receipt.latency} />
      {domains.length === 0 ? null : (
        <div class="table-box" tabIndex={0} role="region" aria-label="upgrade domains">
          <table class="table">
            <thead>
              <tr>
                <th scope="col">Upgrade domain</th>
                <th scope="col" class="number">
                  Instances
                </th>
                <th scope="col">Began</th>
                <th scope="col" class="number">
                  Down and ready
                </th>
                <th scope="col" class="number">
                  Checked
                </th>
                <th scope="col" class="number">
                  Took
                </th>
              </tr>
            </thead>
            <tbody>
              {domains.map(({ domain, instances, startedAt, arrivedAt, endedAt }) => (
                <tr key={`${domain} ${startedAt}`}>
                  <th scope="row">UD {domain}</th>
                  <td class="number">{instances}</td>
                  <td>{clock(startedAt)}</td>
                  <td class="number nowrap">{between(startedAt, arrivedAt)}</td>
                  <td class="number nowrap">{between(arrivedAt, endedAt)}</td>
                  <td class="number nowrap">{between(startedAt, endedAt)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  )
}

/** How long something took; what has not come to its end says so. */
function between(from: string | null, to: string | null): string {
  return from === null || to === null ? 'not done' : duration(Date.parse(to) - Date.parse(from))
}

function LatencyTable({ latency: { before, during, after } }: { latency: ReceiptView['latency'] }): JSX.Element | null {
  const times = [
    { name: '10 s before', of: before },
    { name: 'during', of: during },
    { name: '10 s after', of: after ?? {} },
  ]
  const versions = [...new Set(times.flatMap(({ of }) => Object.keys(of)))].filter(version => version !== '')
  if (versions.length === 0) return null
  const said = (found: Latency | null | undefined): string =>
    found == null ? 'none' : `${duration(found.p50Ms)} / ${duration(found.p99Ms)} / ${duration(found.p999Ms)}`
  return (
    <div class="table-box" tabIndex={0} role="region" aria-label="latency before, during and after">
      <table class="table">
        <thead>
          <tr>
            <th scope="col">Latency p50 / p99 / p99.9</th>
            {times.map(({ name }) => (
              <th key={name} scope="col" class="number">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {versions.map(version => (
            <tr key={version}>
              <th scope="row">{version}</th>
              {times.map(({ name, of }) => (
                <td key={name} class="number nowrap">
                  {said(of[version])}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function TrafficTable({ receipt: { traffic } }: { receipt: ReceiptView }): JSX.Element | null {
  const rows = traffic.filter(({ arrived, answered }) => arrived + answered > 0)
  if (rows.length === 0) return null
  return (
    <div class="table-box" tabIndex={0} role="region" aria-label="traffic by address and version">
      <table class="table">
        <thead>
          <tr>
            <th scope="col">Address</th>
            <th scope="col">Version</th>
            {['Arrived', 'Answered', 'Refused', 'Held', 'Replayed', 'Broken', 'Open'].map(name => (
              <th key={name} scope="col" class="number">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(row => (
            <tr key={`${row.vip} ${row.deployment} ${row.version}`}>
              <th scope="row" class="mono">
                {row.vip}
              </th>
              <td>{row.version === '' ? 'none yet' : row.version}</td>
              <td class="number">{count(row.arrived)}</td>
              <td class="number">{count(row.answered)}</td>
              <td class="number">{count(row.refused)}</td>
              <td class="number">{withDetail(row.held, `at most ${duration(row.heldMaxMs)}`)}</td>
              <td class="number">{count(row.replayed)}</td>
              <td class="number">{withDetail(brokenOf(row), causesOf(row.broken))}</td>
              <td class="number">{count(row.open)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function withDetail(many: number, detail: string): string {
  return many === 0 ? '0' : `${count(many)} (${detail})`
}

function brokenOf({ broken }: ReceiptView['traffic'][number]): number {
  return Object.values(broken).reduce((sum, many) => sum + many, 0)
}

function causesOf(broken: ReceiptView['totals']['brokenBy']): string {
  return Object.entries(broken)
    .map(([cause, many]) => `${count(many)} ${cause}`)
    .join(', ')
}

function Figure({
  name,
  children,
  below,
  tone = 'plain',
}: {
  name: string
  children: ComponentChildren
  below?: string
  tone?: 'plain' | 'good' | 'bad'
}): JSX.Element {
  return (
    <div class={`figure figure-${tone}`}>
      <dt>{name}</dt>
      <dd>{children}</dd>
      {below === undefined ? null : <dd class="quiet">{below}</dd>}
    </div>
  )
}
