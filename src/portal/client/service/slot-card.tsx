import type { TrafficPoint } from '../../../contracts/traffic.ts'
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { DeploymentView } from '../../../contracts/api/deployment.ts'
import type { HealthView } from '../../../contracts/api/health.ts'
import type { ServiceView, VipView } from '../../../contracts/api/service.ts'
import { act } from '../core/act.ts'
import { slotPath } from '../core/api.ts'
import { duration, plural, rate } from '../core/format.ts'
import { useQuery } from '../core/query.ts'
import type { Slot } from '../core/router.ts'
import { toneOf } from '../core/tones.ts'
import { Button } from '../ui/button.tsx'
import { Confirm } from '../ui/confirm.tsx'
import { Icon } from '../ui/icon.tsx'
import { Age, Copy, Signers, State } from '../ui/parts.tsx'
import { lookOfDeployment, lookOfHealth } from '../ui/states.ts'
import { DomainGrid } from './domain-grid.tsx'
import { DropZone } from './drop-zone.tsx'
import { PauseButton, Paused, pausedUntil } from './pause.tsx'
import { latest } from './series.ts'
import { UpgradePanel } from './upgrade-panel.tsx'

interface Props {
  readonly service: ServiceView
  readonly slot: Slot
  /** When the service was asked for, by `performance.now()`. */
  readonly at: number
  readonly series: readonly TrafficPoint[] | null
  readonly onFile: (file: File) => void
}

/** Characters of a version that no longer fit the card in large type. */
const LONG_VERSION = 16

/** One slot: its addresses, which stay, and the deployment in it, which moves. */
export function SlotCard({ service, slot, at, series, onFile }: Props): JSX.Element {
  const deployment = service.slots[slot]
  const vips = service.vips.filter(vip => vip.slot === slot)
  const until = pausedUntil(vips)
  const what = deployment === null ? `deploy to ${slot}` : `upgrade ${slot}`
  return (
    <DropZone what={what} onFile={onFile}>
      {pick => (
        <section class="card slot" aria-labelledby={`slot-${slot}`} data-slot={slot}>
          <header class="slot-head">
            <h2 id={`slot-${slot}`}>{slot}</h2>
            {deployment === null ? <span class="quiet">empty</span> : <SlotStates deployment={deployment} />}
          </header>
          {deployment === null ? null : <Ailment deployment={deployment} />}
          {deployment === null ? (
            <p class="slot-version quiet">Nothing is deployed</p>
          ) : (
            <div
              class={deployment.version.length > LONG_VERSION ? 'slot-version long' : 'slot-version'}
              data-tone={toneOf(service.name, deployment.version)}
            >
              <strong>{deployment.version}</strong>
              <span class="quiet">
                {deployment.label === '' || deployment.label === deployment.version ? null : `${deployment.label} · `}
                <span class="mono">{deployment.id}</span> · <Age at={deployment.createdAt} />
              </span>
              <Signers signedBy={deployment.signedBy} />
            </div>
          )}
          <Addresses vips={vips} />
          {until === null ? null : <Paused service={service.name} slot={slot} until={until} />}
          {deployment === null ? (
            <div class="slot-empty">
              <Icon name="upload" size={20} />
              <p>
                Drop a package here, or{' '}
                <button type="button" class="link" onClick={pick}>
                  choose a file
                </button>
                . Its address answers 503 until then.
              </p>
            </div>
          ) : (
            <>
              <Figures deployment={deployment} slot={slot} series={series} />
              {deployment.upgradeStatus === undefined ? null : (
                <UpgradePanel
                  service={service.name}
                  slot={slot}
                  deployment={deployment}
                  status={deployment.upgradeStatus}
                  at={at}
                />
              )}
              <DomainGrid service={service.name} slot={slot} deployment={deployment} />
              <Actions service={service.name} slot={slot} deployment={deployment} onPick={pick} />
            </>
          )}
        </section>
      )}
    </DropZone>
  )
}

function useHealth({ id, service, slot }: DeploymentView): HealthView | null {
  const { data } = useQuery<HealthView>(`${slotPath(service, slot)}/health`, 2000)
  return data?.deployment === id ? data : null
}

function SlotStates({ deployment }: { deployment: DeploymentView }): JSX.Element {
  const health = useHealth(deployment)
  return (
    <span class="slot-states">
      <State look={lookOfDeployment(deployment.status)} title={deployment.status} />
      {health === null ? null : <State look={lookOfHealth(health.state)} />}
    </span>
  )
}

/** Why its health is not what it should be. */
function Ailment({ deployment }: { deployment: DeploymentView }): JSX.Element | null {
  const health = useHealth(deployment)
  const why = health?.evaluations[0]?.description
  return health === null || health.state === 'Ok' || why === undefined ? null : (
    <p class={`slot-ailment tone-${lookOfHealth(health.state).tone}`}>{why}</p>
  )
}

function Addresses({ vips }: { vips: readonly VipView[] }): JSX.Element {
  return (
    <ul class="addresses">
      {vips.map(({ role, endpoint, url, hostName, error, protocol, host, port }) => (
        <li key={`${role}/${endpoint}`}>
          <span class="address mono">
            {url === null ? (
              <span class="quiet">{error ?? 'not bound yet'}</span>
            ) : protocol === 'tcp' ? (
              `${host}:${port ?? ''}`
            ) : (
              <a href={url} rel="noreferrer" target="_blank">
                {url.replace(/^http:\/\//, '')}
              </a>
            )}
          </span>
          {url === null ? null : <Copy text={url} what="the address" />}
          <span class="quiet host">{hostName}</span>
          <span class="quiet endpoint">
            {role}/{endpoint}
          </span>
          {error !== null && url !== null ? <span class="tone-bad">{error}</span> : null}
        </li>
      ))}
    </ul>
  )
}

function Figures({
  deployment,
  slot,
  series,
}: {
  deployment: DeploymentView
  slot: Slot
  series: readonly TrafficPoint[] | null
}): JSX.Element {
  const ready = deployment.roles.reduce((sum, role) => sum + role.ready, 0)
  const all = deployment.roles.reduce((sum, role) => sum + role.instances, 0)
  const seen = series === null || series.length === 0 ? null : latest(series, slot)
  return (
    <dl class="slot-figures">
      <div>
        <dt>ready</dt>
        <dd>
          {ready}
          <span class="quiet">/{all}</span>
        </dd>
      </div>
      <div>
        <dt>requests/s</dt>
        <dd>{seen === null ? '–' : rate(seen.rps)}</dd>
      </div>
      <div>
        <dt>p99</dt>
        <dd>{seen?.p99Ms == null ? '–' : duration(seen.p99Ms)}</dd>
      </div>
      <div>
        <dt>errors/s</dt>
        <dd class={seen !== null && seen.errors > 0 ? 'tone-bad' : ''}>{seen === null ? '–' : rate(seen.errors)}</dd>
      </div>
      <div>
        <dt>in flight</dt>
        <dd>{deployment.instances.reduce((sum, { inFlight }) => sum + inFlight, 0)}</dd>
      </div>
    </dl>
  )
}

/** What can be done with the deployment as a whole; what cannot says why. */
function Actions({
  service,
  slot,
  deployment,
  onPick,
}: {
  service: string
  slot: Slot
  deployment: DeploymentView
  onPick: () => void
}): JSX.Element {
  const [asked, setAsked] = useState<'suspend' | 'delete' | null>(null)
  const { actions, id, instances } = deployment
  const path = slotPath(service, slot)
  const setStatus = (status: 'Running' | 'Suspended'): void => {
    void act(status === 'Running' ? 'The start' : 'The suspension', 'POST', `${path}/status`, { status })
  }
  return (
    <footer class="slot-actions">
      <Button onClick={onPick}>
        <Icon name="upload" /> Upgrade…
      </Button>
      <PauseButton service={service} slot={slot} />
      {deployment.status === 'Suspended' ? (
        <Button kind="quiet" reason={actions.start.reason} label={`start ${slot}`} onClick={() => setStatus('Running')}>
          Start
        </Button>
      ) : (
        <Button
          kind="quiet"
          reason={actions.suspend.reason}
          label={`suspend ${slot}`}
          onClick={() => setAsked('suspend')}
        >
          Suspend…
        </Button>
      )}
      <Button kind="quiet" reason={actions.delete.reason} label={`delete ${slot}`} onClick={() => setAsked('delete')}>
        Delete…
      </Button>
      {asked === 'suspend' ? (
        <Confirm
          title={`Suspend ${slot}`}
          go="Suspend"
          danger
          onGo={() => setStatus('Suspended')}
          onClose={() => setAsked(null)}
        >
          {plural(instances.length, 'instance')} of {id} finish what they have and stop. The address answers 503 until
          it is started.
        </Confirm>
      ) : null}
      {asked === 'delete' ? (
        <Confirm
          title={`Delete ${slot}`}
          go="Delete"
          danger
          onGo={() => void act('The deletion', 'DELETE', path)}
          onClose={() => setAsked(null)}
        >
          {plural(instances.length, 'instance')} of {id} finish what they have and stop, and their local data goes. The
          address stays and answers 503.
        </Confirm>
      ) : null}
    </footer>
  )
}
