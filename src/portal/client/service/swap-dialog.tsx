import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { DeploymentView } from '../../../contracts/api/deployment.ts'
import type { ServiceView } from '../../../contracts/api/service.ts'
import type { EventView } from '../../../contracts/api/event.ts'
import type { PlanView } from '../../../contracts/api/plan.ts'
import { act } from '../core/act.ts'
import { call, messageOf, slotPath } from '../core/api.ts'
import { timeline } from '../core/live.ts'
import { useStore } from '../core/store.ts'
import { Button } from '../ui/button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Callout, Version } from '../ui/parts.tsx'
import { VerifyBox } from './verify-box.tsx'

/** A burst of events is followed by one check. */
const RECHECK_MS = 150

/** Of a swap that is the exchange alone: the table says them all. */
const PLAIN_STEPS = 3

type Phase = 'prepare' | 'commit' | 'cancel'

/** What each address serves after a swap, what speaks against it, and the swap. */
export function SwapDialog({ service, onClose }: { service: ServiceView; onClose: () => void }): JSX.Element {
  const { name, prepared, slots } = service
  const [plan, setPlan] = useState<PlanView | null>(null)
  const [failed, setFailed] = useState<string | null>(null)
  const [verify, setVerify] = useState(false)
  // What is in the way may go, or come, while one reads.
  const changes = lastOf(useStore(timeline), name)
  useEffect(() => {
    let stale = false
    const check = async (): Promise<void> => {
      try {
        const swap = { ...(prepared === null ? {} : { phase: 'commit' }), ...(verify ? { verify } : {}) }
        const answer = await call<PlanView>('POST', `${slotPath(name, 'production')}/plan`, { swap })
        if (stale) return
        setPlan(answer)
        setFailed(null)
      } catch (error) {
        if (!stale) setFailed(messageOf(error))
      }
    }
    const timer = setTimeout(() => void check(), plan === null ? 0 : RECHECK_MS)
    return () => {
      stale = true
      clearTimeout(timer)
    }
  }, [name, prepared === null, verify, changes, slots.production?.id, slots.staging?.id])

  const send = (phase?: Phase): void => {
    const expect = { production: slots.production?.id ?? null, staging: slots.staging?.id ?? null }
    // What was read is what is swapped: should the slots have changed meanwhile, it is refused.
    void act(
      'The swap',
      'POST',
      `/v1/services/${encodeURIComponent(name)}/swap`,
      // Nothing is switched by the other two, so there is nothing to verify.
      { ...(phase === undefined ? {} : { phase }), expect, ...(verify && switches(phase) ? { verify } : {}) },
    )
    onClose()
  }
  const blocked =
    plan === null
      ? 'the check is not back yet'
      : plan.outcome === 'changes'
        ? null
        : (plan.blockers[0]?.message ?? 'there is nothing to swap')
  return (
    <Dialog title={`Swap ${name}`} look="dialog-wide" onClose={onClose}>
      <After service={service} />
      <p class="quiet">
        Addresses, connections and processes stay. Requests already begun are finished by the version that has them.
      </p>
      {plan?.outcome === 'changes' && plan.steps.length > PLAIN_STEPS ? <Steps steps={plan.steps} /> : null}
      <div class="verdict" aria-live="polite">
        {failed === null ? null : <Callout tone="bad">{failed}</Callout>}
        {plan?.blockers.map(({ code, message }) => (
          <Callout key={code + message} tone="bad">
            {message.replaceAll('`', '')} <code>{code}</code>
          </Callout>
        ))}
        {plan?.warnings.map(warning => (
          <Callout key={warning} tone="warn">
            {warning.replaceAll('`', '')}
          </Callout>
        ))}
        {plan?.outcome === 'changes' && plan.warnings.length === 0 ? (
          <p class="quiet">Nothing speaks against it.</p>
        ) : null}
      </div>
      <VerifyBox checked={verify} onChange={setVerify} undo="the first one lost swaps back" />
      {prepared === null ? (
        <div class="dialog-end">
          <Button local onClick={onClose}>
            Leave it
          </Button>
          <Button reason={blocked} onClick={() => send('prepare')}>
            Prepare only
          </Button>
          <Button kind="primary" reason={blocked} onClick={() => send()}>
            Swap
          </Button>
        </div>
      ) : (
        <>
          <p>
            This swap is prepared (<code>{prepared.operation}</code>): nothing else changes until it is committed or
            cancelled.
          </p>
          <div class="dialog-end">
            <Button local onClick={onClose}>
              Later
            </Button>
            <Button onClick={() => send('cancel')}>Cancel the swap</Button>
            <Button kind="primary" reason={blocked} onClick={() => send('commit')}>
              Commit
            </Button>
          </div>
        </>
      )}
    </Dialog>
  )
}

/** Does this phase, or the swap in one, change what the addresses serve? */
function switches(phase: Phase | undefined): boolean {
  return phase === undefined || phase === 'commit'
}

/** The number of the last event of a service. */
function lastOf(events: readonly EventView[], service: string): number {
  return events.findLast(event => event.service === service)?.seq ?? 0
}

function After({ service: { name, vips, slots } }: { service: ServiceView }): JSX.Element {
  return (
    <table class="table after">
      <caption class="hidden">what each address serves</caption>
      <thead>
        <tr>
          <th scope="col">Address</th>
          <th scope="col">Serves now</th>
          <th scope="col">After</th>
        </tr>
      </thead>
      <tbody>
        {vips.map(({ slot, role, endpoint, url, hostName }) => (
          <tr key={`${slot} ${role}/${endpoint}`} data-after={slot}>
            <th scope="row">
              <span class="mono">{url?.replace(/^\w+:\/\//, '') ?? `${role}/${endpoint}`}</span>
              <span class="quiet">
                {slot} · {hostName}
              </span>
            </th>
            <td>
              <Serves name={name} deployment={slots[slot]} />
            </td>
            <td>
              <Serves name={name} deployment={slots[slot === 'production' ? 'staging' : 'production']} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

/** What is done, in its order: settings that move, warm-up, hooks. */
function Steps({ steps }: { steps: readonly string[] }): JSX.Element {
  return (
    <ol class="steps" aria-label="steps">
      {steps.map(step => (
        <li key={step}>{step.replaceAll('`', '')}</li>
      ))}
    </ol>
  )
}

function Serves({ name, deployment }: { name: string; deployment: DeploymentView | null }): JSX.Element {
  if (deployment === null) return <span class="quiet">503, nothing there</span>
  const ready = deployment.roles.reduce((sum, role) => sum + role.ready, 0)
  return (
    <>
      <Version service={name} version={deployment.version} />{' '}
      <span class="quiet nowrap">
        {ready}/{deployment.instances.length} ready
      </span>
    </>
  )
}
