import type { JSX } from 'preact'

/** The choice to have a change watched by probe traffic of vipswap's own. `undo`: what a loss leads to. */
export function VerifyBox({
  checked,
  onChange,
  undo,
}: {
  checked: boolean
  onChange: (checked: boolean) => void
  undo: string
}): JSX.Element {
  return (
    <label class="check">
      <input type="checkbox" checked={checked} onChange={event => onChange(event.currentTarget.checked)} />
      <span>
        Verify <span class="quiet">with probe requests through the address; {undo}</span>
      </span>
    </label>
  )
}
