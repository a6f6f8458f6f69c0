import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { DeploymentView } from '../../../contracts/api/deployment.ts'
import type { UpgradeStatusView } from '../../../contracts/api/upgrade-status.ts'
import type { UpgradeClockView } from '../../../contracts/api/upgrade-clock.ts'
import type { UpgradeMode } from '../../../model/states.ts'
import { act } from '../core/act.ts'
import { slotPath } from '../core/api.ts'
import { duration, plural } from '../core/format.ts'
import { useNow } from '../core/now.ts'
import { hrefs, type Slot } from '../core/router.ts'
import { Button } from '../ui/button.tsx'
import { Confirm } from '../ui/confirm.tsx'
import { Bar, Callout, Version } from '../ui/parts.tsx'
import { MODES } from './modes.ts'

const CLOCKS = {
  wait: 'wait before the first check',
  stable: 'healthy for',
  retry: 'unhealthy for',
  domain: 'this domain',
  upgrade: 'the whole upgrade',
} as const satisfies Record<UpgradeClockView['name'], string>

interface Props {
  readonly service: string
  readonly slot: Slot
  readonly deployment: DeploymentView
  readonly status: UpgradeStatusView
  readonly at: number
}

/** Where a walk is, what it waits for, and what can be done about it. */
export function UpgradePanel({ service, slot, deployment, status, at }: Props): JSX.Element {
  const { direction, mode, fromVersion, toVersion, domains, waitingFor, failure, stuck, clocks } = status
  const walked = domains.filter(({ state }) => state !== 'skipped')
  const done = walked.filter(({ state }) => state === 'done').length
  const back = direction === 'back'
  return (
    <section class="walk" aria-label={back ? 'rollback' : 'upgrade'} data-direction={direction}>
      <header class="walk-head">
        <h3>
          {back ? 'Rollback' : 'Upgrade'} <Version service={service} version={fromVersion} />{' '}
          <span aria-label="to">→</span> <Version service={service} version={toVersion} />
        </h3>
        <span class="quiet">
          {mode} · {done} of {plural(walked.length, 'domain')} done
        </span>
      </header>
      {failure === undefined ? null : (
        <Callout tone="warn">
          {failure.reason}
          {failure.domain === null ? '' : ` in domain ${failure.domain}`}: {failure.message}
        </Callout>
      )}
      <p class="walk-wait">{waitingFor === null ? 'On its way' : <>Waits for {plain(waitingFor)}</>}</p>
      {stuck === undefined ? null : (
        <ul class="stuck">
          {stuck.map(({ instance, reason }) => (
            <li key={instance}>
              <a href={hrefs.instance(service, slot, instance)}>{instance}</a> {reason}
            </li>
          ))}
        </ul>
      )}
      {clocks.length === 0 ? null : (
        <dl class="clocks">
          {clocks.map(clock => (
            <Clock key={clock.name} clock={clock} at={at} />
          ))}
        </dl>
      )}
      <Steer service={service} slot={slot} deployment={deployment} status={status} />
    </section>
  )
}

/** Goes on between two looks at the controller. */
function Clock({ clock, at }: { clock: UpgradeClockView; at: number }): JSX.Element {
  useNow(250)
  const { name, limitMs, running } = clock
  const elapsed = clock.elapsedMs + (running ? performance.now() - at : 0)
  if (limitMs === null) {
    return (
      <div class="clock">
        <dt>{CLOCKS[name]}</dt>
        <dd class="clock-time">{seconds(elapsed)}</dd>
        <dd class="quiet clock-left">no limit</dd>
      </div>
    )
  }
  const left = Math.max(0, limitMs - elapsed)
  return (
    <div class="clock">
      <dt>{CLOCKS[name]}</dt>
      <dd class="clock-time">
        {seconds(Math.min(elapsed, limitMs))} of {duration(limitMs)}
      </dd>
      <dd class="clock-left">
        <Bar
          share={limitMs === 0 ? 1 : elapsed / limitMs}
          label={`${CLOCKS[name]}, time passed`}
          tone={name === 'stable' ? 'good' : name === 'wait' ? 'plain' : 'warn'}
        />
        <span class="nowrap">{seconds(left)} left</span>
      </dd>
    </div>
  )
}

function Steer({ service, slot, deployment: { actions }, status }: Omit<Props, 'at'>): JSX.Element {
  const [asking, setAsking] = useState(false)
  const path = slotPath(service, slot)
  const { mode, direction, currentUpgradeDomain, failure, fromVersion } = status
  const change = (wanted: UpgradeMode): void => {
    void act('The change of mode', 'PATCH', `${path}/upgrade`, { mode: wanted })
  }
  const stopped = mode === 'manual' || mode === 'unmonitored-manual'
  const resumeReason =
    direction === 'back' ? 'a rollback is on its way' : !stopped ? 'it goes on by itself already' : null
  return (
    <div class="steer">
      <Button reason={actions.walk.reason} onClick={() => void act('The walk', 'POST', `${path}/walk`)}>
        Walk domain {currentUpgradeDomain}
      </Button>
      <Button reason={resumeReason} onClick={() => change('monitored')}>
        Resume
      </Button>
      <Button kind="danger" reason={actions.rollback.reason} onClick={() => setAsking(true)}>
        Roll back…
      </Button>
      <label class="filter">
        <span class="hidden">Mode</span>
        <select
          value={mode}
          disabled={direction === 'back'}
          title={direction === 'back' ? 'a rollback keeps its mode' : MODES[mode]}
          onChange={event => {
            const wanted = MODE_NAMES.find(name => name === event.currentTarget.value)
            if (wanted !== undefined) change(wanted)
          }}
        >
          {MODE_NAMES.map(name => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
      {asking ? (
        <Confirm
          title="Roll back"
          go="Roll back"
          danger
          onGo={() => void act('The rollback', 'POST', `${path}/rollback`)}
          onClose={() => setAsking(false)}
        >
          Instances that moved go back to {fromVersion}, the broken domain first, one domain at a time
          {failure === undefined ? '' : `. It failed: ${failure.message}`}.
        </Confirm>
      ) : null}
    </div>
  )
}

const MODE_NAMES = Object.keys(MODES) as readonly UpgradeMode[] // keys of a Record of that union

/** Backquotes are for the terminal. */
function plain(text: string): string {
  return text.replaceAll('`', '')
}

/** A clock that counts in whole seconds. */
function seconds(ms: number): string {
  return ms < 1000 ? '0 s' : duration(Math.floor(ms / 1000) * 1000)
}
