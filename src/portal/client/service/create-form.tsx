import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { PackageAnswer } from '../../../contracts/api/package.ts'
import { act } from '../core/act.ts'
import { slotPath } from '../core/api.ts'
import { go, hrefs, type Slot } from '../core/router.ts'
import { Button } from '../ui/button.tsx'
import { Callout, Signers, Version } from '../ui/parts.tsx'
import type { Target } from './package-dialog.tsx'

/** A deployment in an empty slot; without a target in one of a service that may not be there yet. */
export function CreateForm({
  answer,
  target,
  onClose,
}: {
  answer: PackageAnswer
  target: Target | null
  onClose: () => void
}): JSX.Element {
  const [slot, setSlot] = useState<Slot>(target?.slot ?? 'production')
  const [label, setLabel] = useState('')
  const service = target?.service.name ?? answer.name
  const other = service === answer.name ? null : `this package is of service ${answer.name}, not of ${service}`
  return (
    <form
      onSubmit={event => {
        event.preventDefault()
        if (other !== null) return
        const body = { package: answer.digest, ...(label === '' ? {} : { label }) }
        void act('The deployment', 'POST', slotPath(service, slot), body).then(operation => {
          if (operation !== null) go(hrefs.service(service))
        })
        onClose()
      }}
    >
      <p>
        <strong>{service}</strong> {slot} will run <Version service={service} version={answer.version} />. Its addresses
        answer once every instance is ready. <Signers signedBy={answer.signedBy} />
      </p>
      {other === null ? null : <Callout tone="bad">{other}</Callout>}
      {answer.warnings.map(warning => (
        <Callout key={warning} tone="warn">
          {warning}
        </Callout>
      ))}
      {target === null ? (
        <label class="field">
          Slot
          <select
            value={slot}
            onChange={event => setSlot(event.currentTarget.value === 'staging' ? 'staging' : 'production')}
          >
            <option>production</option>
            <option>staging</option>
          </select>
        </label>
      ) : null}
      <label class="field">
        Label <span class="quiet">if you like</span>
        <input type="text" maxLength={100} value={label} onInput={event => setLabel(event.currentTarget.value)} />
      </label>
      <div class="dialog-end">
        <Button local onClick={onClose}>
          Leave it
        </Button>
        <button type="submit" class="button button-primary" aria-disabled={other === null ? undefined : true}>
          Deploy
        </button>
      </div>
    </form>
  )
}
