import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { DeploymentView } from '../../../contracts/api/deployment.ts'
import type { ServiceView } from '../../../contracts/api/service.ts'
import { useQuery } from '../core/query.ts'
import { hrefs, type Slot } from '../core/router.ts'
import { DropZone } from '../service/drop-zone.tsx'
import { PackageDialog } from '../service/package-dialog.tsx'
import { Age, Callout, Empty, State, Version } from '../ui/parts.tsx'
import { lookOfDeployment } from '../ui/states.ts'

/** Everything that runs here; a package dropped on it becomes a service. */
export function ServicesPage(): JSX.Element {
  const { data, error } = useQuery<{ services: readonly ServiceView[] }>('/v1/services')
  const [file, setFile] = useState<File | null>(null)
  return (
    <DropZone what="deploy a service" onFile={setFile}>
      {pick => (
        <>
          <div class="page-head">
            <h1>Services</h1>
            <button type="button" class="button" onClick={pick}>
              Deploy a package…
            </button>
          </div>
          {data === null && error !== null ? <Callout tone="bad">{error.message}</Callout> : null}
          {data?.services.length === 0 ? (
            <Empty>
              Nothing runs here yet. Drop a package (<code>.tar.gz</code> or <code>.zip</code>) on this page, or{' '}
              <code>vipswap deploy PACKAGE</code>.
            </Empty>
          ) : null}
          <ul class="services">
            {data?.services.map(service => (
              <li key={service.name}>
                <ServiceRow service={service} />
              </li>
            ))}
          </ul>
          {file === null ? null : <PackageDialog file={file} target={null} onClose={() => setFile(null)} />}
        </>
      )}
    </DropZone>
  )
}

function ServiceRow({ service }: { service: ServiceView }): JSX.Element {
  const { name, slots, operation } = service
  return (
    <article class="card service-row">
      <div class="service-name">
        <h2>
          <a href={hrefs.service(name)}>{name}</a>
        </h2>
        <p class="quiet">
          {operation === null ? 'nothing is being changed' : `${operation.kind}: ${operation.progress.message}`}
        </p>
      </div>
      <SlotSummary service={service} slot="production" deployment={slots.production} />
      <SlotSummary service={service} slot="staging" deployment={slots.staging} />
    </article>
  )
}

function SlotSummary({
  service,
  slot,
  deployment,
}: {
  service: ServiceView
  slot: Slot
  deployment: DeploymentView | null
}): JSX.Element {
  const url = service.vips.find(vip => vip.slot === slot)?.url
  return (
    <dl class="summary">
      <dt>{slot}</dt>
      {deployment === null ? (
        <dd class="quiet">empty</dd>
      ) : (
        <dd>
          <Version service={service.name} version={deployment.version} />
          <State look={lookOfDeployment(deployment.status)} />
          <span class="quiet">
            {readyOf(deployment)} of {deployment.instances.length} ready · <Age at={deployment.createdAt} />
          </span>
        </dd>
      )}
      {url == null ? null : <dd class="quiet mono">{url.replace(/^\w+:\/\//, '')}</dd>}
    </dl>
  )
}

function readyOf({ roles }: DeploymentView): number {
  return roles.reduce((sum, { ready }) => sum + ready, 0)
}
