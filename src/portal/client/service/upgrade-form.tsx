import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { UpgradeBody } from '../../../contracts/api/bodies.ts'
import type { PackageAnswer } from '../../../contracts/api/package.ts'
import type { PlanView, UpgradePlanView } from '../../../contracts/api/plan.ts'
import type { UpgradeMode } from '../../../model/states.ts'
import { act } from '../core/act.ts'
import { call, messageOf, slotPath } from '../core/api.ts'
import { count } from '../core/format.ts'
import { Button } from '../ui/button.tsx'
import { Confirm } from '../ui/confirm.tsx'
import { Callout, Signers, Version } from '../ui/parts.tsx'
import { MODES } from './modes.ts'
import { VerifyBox } from './verify-box.tsx'
import type { Target } from './package-dialog.tsx'

const MODE_NAMES = Object.keys(MODES) as readonly UpgradeMode[] // keys of a Record of that union

/** An in-place upgrade of what is in a slot, by its plan; or that thrown away and this deployed. */
export function UpgradeForm({
  answer,
  target,
  onClose,
}: {
  answer: PackageAnswer
  target: Target
  onClose: () => void
}): JSX.Element {
  const { service, slot } = target
  const [mode, setMode] = useState<UpgradeMode>('monitored')
  const [force, setForce] = useState(false)
  const [verify, setVerify] = useState(false)
  const [plan, setPlan] = useState<PlanView | null>(null)
  const [failed, setFailed] = useState<string | null>(null)
  const [replacing, setReplacing] = useState(false)
  const path = slotPath(service.name, slot)
  const body: UpgradeBody = {
    package: answer.digest,
    mode,
    ...(force ? { force } : {}),
    ...(verify ? { verify } : {}),
  }
  useEffect(() => {
    let stale = false
    call<PlanView>('POST', `${path}/plan`, { upgrade: body }).then(
      found => {
        if (!stale) setPlan(found)
      },
      (error: unknown) => {
        if (!stale) setFailed(messageOf(error))
      },
    )
    return () => {
      stale = true
    }
  }, [path, answer.digest, mode, force, verify])

  const blocked =
    plan === null
      ? 'the plan is not back yet'
      : plan.outcome === 'changes'
        ? null
        : (plan.blockers[0]?.message ?? 'there is nothing to upgrade')
  const needsForce = force || plan?.blockers.some(({ code }) => code === 'force_required') === true
  return (
    <>
      <label class="field">
        Mode
        <select
          value={mode}
          onChange={event => setMode(MODE_NAMES.find(name => name === event.currentTarget.value) ?? 'monitored')}
        >
          {MODE_NAMES.map(name => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
        <span class="quiet">{MODES[mode]}</span>
      </label>
      <VerifyBox checked={verify} onChange={setVerify} undo="the first one lost rolls it back" />
      {needsForce ? (
        <label class="check">
          <input type="checkbox" checked={force} onChange={event => setForce(event.currentTarget.checked)} /> local data
          may be lost
        </label>
      ) : null}
      <div class="verdict" aria-live="polite">
        {failed === null ? null : <Callout tone="bad">{failed}</Callout>}
        {plan?.upgrade === undefined ? null : <UpgradePlan service={service.name} upgrade={plan.upgrade} />}
        {plan?.blockers.map(({ code, message }) => (
          <Callout key={code + message} tone="bad">
            {message.replaceAll('`', '')} <code>{code}</code>
          </Callout>
        ))}
        {plan?.outcome === 'none' ? <Callout tone="plain">There is nothing to do: this is what runs.</Callout> : null}
        {[...answer.warnings, ...(plan?.warnings ?? [])].map(warning => (
          <Callout key={warning} tone="warn">
            {warning.replaceAll('`', '')}
          </Callout>
        ))}
      </div>
      <div class="dialog-end">
        <Button local onClick={onClose}>
          Leave it
        </Button>
        <Button kind="danger" onClick={() => setReplacing(true)}>
          Replace…
        </Button>
        <Button
          kind="primary"
          reason={blocked}
          onClick={() => {
            void act('The upgrade', 'POST', `${path}/upgrade`, body)
            onClose()
          }}
        >
          Upgrade {slot}
        </Button>
      </div>
      {replacing ? (
        <Confirm
          title={`Replace ${slot}`}
          go="Replace"
          danger
          onGo={() => {
            void act('The replacement', 'POST', path, { package: answer.digest, replace: true })
            onClose()
          }}
          onClose={() => setReplacing(false)}
        >
          What is in {slot} finishes what it has and is deleted, then {answer.version} is deployed. The address answers
          503 in between.
        </Confirm>
      ) : null}
    </>
  )
}

function UpgradePlan({ service, upgrade }: { service: string; upgrade: UpgradePlanView }): JSX.Element {
  const { fromVersion, toVersion, signedBy, roles, moves, domains, cores, changes } = upgrade
  return (
    <>
      <p>
        <Version service={service} version={fromVersion} /> <span aria-label="to">→</span>{' '}
        <Version service={service} version={toVersion} />{' '}
        <span class="quiet">
          {domains.effective} of {domains.declared} domains hold instances
          {cores.quota === null ? '' : ` · ${count(cores.after)} of ${count(cores.quota)} cores`}
        </span>{' '}
        <Signers signedBy={signedBy} />
      </p>
      <div class="table-box" tabIndex={0} role="region" aria-label="roles of the plan">
        <table class="table">
          <thead>
            <tr>
              <th scope="col">Role</th>
              <th scope="col">Change</th>
              <th scope="col">Version</th>
              <th scope="col" class="number">
                Instances
              </th>
              <th scope="col" class="number">
                At least up
              </th>
            </tr>
          </thead>
          <tbody>
            {roles.map(role => (
              <tr key={role.name}>
                <th scope="row">{role.name}</th>
                <td>
                  {role.change}
                  {role.changes.length === 0 ? null : (
                    <span class="quiet"> {role.changes.map(({ what }) => what).join('; ')}</span>
                  )}
                </td>
                <td class="nowrap">
                  {role.fromVersion ?? 'none'} → {role.toVersion ?? 'none'}
                </td>
                <td class="number nowrap">
                  {role.instances.from === role.instances.to
                    ? role.instances.to
                    : `${role.instances.from} → ${role.instances.to}`}
                </td>
                <td class="number">{role.lowWater}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {changes.length === 0 ? null : <p class="quiet">Of the service: {changes.map(({ what }) => what).join('; ')}</p>}
      {moves.length === 0 ? null : (
        <ol class="moves">
          {moves.map(({ domain, instances }) => (
            <li key={domain}>
              <b>UD {domain}</b>{' '}
              <span class="quiet">{instances.length > 4 ? `${instances.length} instances` : instances.join(', ')}</span>
            </li>
          ))}
        </ol>
      )}
    </>
  )
}
