import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { HealthView } from '../../../contracts/api/health.ts'
import type { InstanceView } from '../../../contracts/api/instance.ts'
import type { RoleView } from '../../../contracts/api/role.ts'
import type { ServiceView } from '../../../contracts/api/service.ts'
import { act } from '../core/act.ts'
import { instancePath, slotPath } from '../core/api.ts'
import { bytes } from '../core/format.ts'
import { timeline } from '../core/live.ts'
import { useQuery } from '../core/query.ts'
import type { InstanceRoute } from '../core/router.ts'
import { useStore } from '../core/store.ts'
import { EventList } from '../pages/timeline.tsx'
import { Button } from '../ui/button.tsx'
import { Confirm } from '../ui/confirm.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Bar, Callout, State, Version } from '../ui/parts.tsx'
import { lookOfHealth, lookOfInstance } from '../ui/states.ts'
import { InstanceLog } from './instance-log.tsx'
import { OpenButton } from './open-button.tsx'

const LAST_EVENTS = 6

/** One instance: how it is and why, its log, and what can be done with it. */
export function InstancePanel({
  service,
  where,
  onClose,
}: {
  service: ServiceView
  where: InstanceRoute
  onClose: () => void
}): JSX.Element {
  const { slot, id } = where
  const instance = service.slots[slot]?.instances.find(each => each.id === id)
  return (
    <Dialog title={id} look="drawer" onClose={onClose}>
      {instance === undefined ? (
        <Callout tone="warn">
          There is no {id} in {slot} of {service.name} now.
        </Callout>
      ) : (
        <Found
          service={service.name}
          slot={slot}
          instance={instance}
          role={service.slots[slot]?.roles.find(each => each.name === instance.role)}
        />
      )}
    </Dialog>
  )
}

function Found({
  service,
  slot,
  instance,
  role,
}: {
  service: string
  slot: InstanceRoute['slot']
  instance: InstanceView
  role: RoleView | undefined
}): JSX.Element {
  const { id, version, detail, node, pid, restarts, upgradeDomain, faultDomain, routing, inFlight, localStorage } =
    instance
  const look = lookOfInstance(instance)
  const ill = look.tone === 'bad' || look.tone === 'warn'
  return (
    <>
      <p class="instance-head">
        <State look={look} title={instance.status} /> <Version service={service} version={version} />{' '}
        <span class="quiet">
          {slot} · {instance.status}
        </span>
      </p>
      {ill ? (
        <Callout tone="bad">
          <strong>Why:</strong> <span class="why">{detail}</span>
        </Callout>
      ) : (
        <p class="why">{detail}</p>
      )}
      <Steering service={service} slot={slot} instance={instance} role={role} />
      <dl class="facts">
        <Fact name="upgrade domain">{upgradeDomain}</Fact>
        <Fact name="fault domain">{faultDomain}</Fact>
        <Fact name="node">{node === '' ? 'none: an upstream' : node}</Fact>
        <Fact name="rotation">{routing}</Fact>
        <Fact name="in flight">{inFlight}</Fact>
        <Fact name="restarts">{restarts}</Fact>
        <Fact name="pid">{pid ?? 'none'}</Fact>
      </dl>
      {localStorage.map(({ name, bytes: used, sizeBytes }) => (
        <div key={name} class="storage">
          <span>{name}</span>
          <Bar share={used / sizeBytes} label={`local storage ${name}`} tone={used > sizeBytes ? 'warn' : 'plain'} />
          <span class="quiet">
            {bytes(used)} of {bytes(sizeBytes)}
          </span>
        </div>
      ))}
      <Reports service={service} slot={slot} id={id} />
      <InstanceLog path={instancePath(service, slot, id)} key={`${slot}/${id}`} />
      <Happened service={service} id={id} />
    </>
  )
}

function Fact({ name, children }: { name: string; children: string | number }): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}

function Steering({
  service,
  slot,
  instance,
  role,
}: {
  service: string
  slot: string
  instance: InstanceView
  role: RoleView | undefined
}): JSX.Element {
  const [reimaging, setReimaging] = useState(false)
  const path = instancePath(service, slot, instance.id)
  const upstream = instance.node === '' ? 'vipswap does not run it' : null
  const send = (verb: 'reboot' | 'reimage' | 'drain' | 'undrain'): void => {
    void act(`The ${verb}`, 'POST', `${path}/${verb}`)
  }
  return (
    <div class="steer">
      <OpenButton path={path} role={role} />
      <Button reason={upstream} onClick={() => send('reboot')}>
        Reboot
      </Button>
      <Button reason={upstream} onClick={() => setReimaging(true)}>
        Reimage…
      </Button>
      {instance.drained ? (
        <Button onClick={() => send('undrain')}>Put back</Button>
      ) : (
        <Button onClick={() => send('drain')}>Drain</Button>
      )}
      {reimaging ? (
        <Confirm
          title={`Reimage ${instance.id}`}
          go="Reimage"
          danger
          onGo={() => send('reimage')}
          onClose={() => setReimaging(false)}
        >
          It finishes what it has and stops; its files are laid out afresh, and local data that is not kept on recycle
          goes.
        </Confirm>
      ) : null}
    </div>
  )
}

/** What others reported of it. */
function Reports({ service, slot, id }: { service: string; slot: string; id: string }): JSX.Element | null {
  const { data } = useQuery<HealthView>(`${slotPath(service, slot)}/health`, 2000)
  const reports =
    data?.roles.flatMap(role => role.instances.filter(each => each.id === id).flatMap(each => each.reports)) ?? []
  if (reports.length === 0) return null
  return (
    <section>
      <h3>Health reports</h3>
      <ul class="reports">
        {reports.map(report => (
          <li key={`${report.source} ${report.property}`}>
            <State look={lookOfHealth(report.expired ? 'Error' : report.state)} /> {report.source}/{report.property}
            {report.expired ? ' (expired)' : ''} <span class="quiet">{report.description}</span>
          </li>
        ))}
      </ul>
    </section>
  )
}

function Happened({ service, id }: { service: string; id: string }): JSX.Element | null {
  const last = useStore(timeline)
    .filter(event => event.service === service && (event.instance === id || event.message.startsWith(`${id} `)))
    .slice(-LAST_EVENTS)
    .toReversed()
  if (last.length === 0) return null
  return (
    <section>
      <h3>Timeline</h3>
      <EventList events={last} />
    </section>
  )
}
