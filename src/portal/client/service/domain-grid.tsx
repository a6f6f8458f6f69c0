import type { JSX } from 'preact'
import type { DeploymentView } from '../../../contracts/api/deployment.ts'
import type { InstanceView } from '../../../contracts/api/instance.ts'
import type { UpgradeStatusView } from '../../../contracts/api/upgrade-status.ts'
import { hrefs, type Slot } from '../core/router.ts'
import { toneOf } from '../core/tones.ts'
import { Icon } from '../ui/icon.tsx'
import { lookOfInstance } from '../ui/states.ts'

type Domain = UpgradeStatusView['domains'][number]

const STEPS = {
  pending: { text: 'next', icon: 'ring' },
  during: { text: 'now', icon: 'starting' },
  done: { text: 'done', icon: 'check' },
  skipped: { text: 'stays', icon: 'dash' },
} as const

/** Above so many instances in one cell, or domains, tiles carry no text. */
const ROOMY_CELL = 2
const ROOMY_DOMAINS = 6
/** What a tile needs where there are many domains: twenty of them fit beside the other slot at 1280 pixels. Narrower, the grid scrolls. */
const DOMAIN_PX = 22
const ROLE_PX = 58

/** A row per role, a column per upgrade domain, a tile per instance. */
export function DomainGrid({
  service,
  slot,
  deployment,
}: {
  service: string
  slot: Slot
  deployment: DeploymentView
}): JSX.Element {
  const { roles, instances, upgradeStatus } = deployment
  const domains = [...new Set(instances.map(({ upgradeDomain }) => upgradeDomain))].toSorted((a, b) => a - b)
  const cells = new Map<string, InstanceView[]>()
  for (const instance of instances) {
    const key = `${instance.role} ${instance.upgradeDomain}`
    const cell = cells.get(key)
    if (cell === undefined) cells.set(key, [instance])
    else cell.push(instance)
  }
  const now = new Set(upgradeStatus?.domains.filter(({ state }) => state === 'during').map(({ domain }) => domain))
  const largest = Math.max(0, ...[...cells.values()].map(({ length }) => length))
  const many = domains.length > ROOMY_DOMAINS
  const roomy = largest <= ROOMY_CELL && !many
  const look = roomy ? 'grid-roomy' : many ? 'grid-dense grid-many' : 'grid-dense'
  return (
    <div class="grid-box" tabIndex={0} role="region" aria-label={`upgrade domains of ${slot}`}>
      <table class={`grid ${look}`} style={many ? { minWidth: `${ROLE_PX + domains.length * DOMAIN_PX}px` } : {}}>
        <thead>
          <tr>
            <th scope="col" class="grid-corner">
              <span class="hidden">role</span>
              {many ? (
                <span class="quiet" aria-hidden="true">
                  UD
                </span>
              ) : null}
            </th>
            {domains.map(domain => (
              <DomainHead
                key={domain}
                domain={domain}
                many={many}
                walked={upgradeStatus?.domains.find(each => each.domain === domain)}
              />
            ))}
          </tr>
        </thead>
        <tbody>
          {roles.map(role => (
            <tr key={role.name}>
              <th scope="row">
                {role.name}
                <span class="quiet">
                  {role.ready}/{role.instances}
                </span>
              </th>
              {domains.map(domain => (
                <td key={domain} data-now={now.has(domain) && cells.has(`${role.name} ${domain}`)}>
                  <div class="cell">
                    {cells.get(`${role.name} ${domain}`)?.map(instance => (
                      <Tile
                        key={instance.id}
                        service={service}
                        slot={slot}
                        instance={instance}
                        roomy={roomy}
                        moved={hasMoved(instance, upgradeStatus)}
                      />
                    ))}
                  </div>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function DomainHead({
  domain,
  many,
  walked,
}: {
  domain: number
  many: boolean
  walked: Domain | undefined
}): JSX.Element {
  const step = walked === undefined ? null : STEPS[walked.state]
  return (
    <th scope="col" data-step={walked?.state} title={walked?.waitingFor ?? undefined}>
      <span class="nowrap">
        <span class={many ? 'hidden' : ''}>UD </span>
        {domain}
      </span>
      {step === null ? null : (
        <span class="step">
          <Icon name={step.icon} size={12} />
          <span class="step-word">{step.text}</span>
        </span>
      )}
    </th>
  )
}

function Tile({
  service,
  slot,
  instance,
  roomy,
  moved,
}: {
  service: string
  slot: Slot
  instance: InstanceView
  roomy: boolean
  /** It runs the version the upgrade leads to. */
  moved: boolean
}): JSX.Element {
  const { id, version, routing, detail } = instance
  const look = lookOfInstance(instance)
  const rotation = routing === 'in' ? 'in rotation' : routing === 'draining' ? 'finishing' : 'out of rotation'
  const said = `${id}, ${version}, ${look.text}, ${rotation}`
  return (
    <a
      class={`tile tone-${look.tone}`}
      data-tone={toneOf(service, version)}
      data-moved={moved}
      data-routing={routing}
      data-status={instance.status}
      href={hrefs.instance(service, slot, id)}
      title={`${said}\n${detail}`}
    >
      <span class="hidden">{said}</span>
      <Icon name={look.icon} size={14} />
      {roomy ? (
        <>
          <span class="tile-id" aria-hidden="true">
            {id.replace(/^.*_IN_/, '')}
          </span>
          <span class="tile-version" aria-hidden="true">
            {version}
          </span>
          <span class="tile-state" aria-hidden="true">
            {look.tone === 'good' ? '' : look.text}
          </span>
        </>
      ) : null}
    </a>
  )
}

function hasMoved({ version }: InstanceView, status: UpgradeStatusView | undefined): boolean {
  return status !== undefined && version === status.toVersion
}
