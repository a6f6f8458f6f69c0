import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { giveToken, tokenWanted } from '../core/api.ts'
import { Dialog } from '../ui/dialog.tsx'

/** Asks for the bearer token; it is kept for this tab only. Put away, it comes back with the next refusal. */
export function TokenDialog({ why }: { why: string }): JSX.Element {
  const [value, setValue] = useState('')
  return (
    <Dialog title="Who asks?" onClose={() => tokenWanted.set(null)}>
      <form
        onSubmit={event => {
          event.preventDefault()
          if (value.trim() !== '') giveToken(value.trim())
        }}
      >
        <p>This controller wants a token: {why}.</p>
        <label class="field">
          Token
          <input
            type="password"
            autocomplete="off"
            value={value}
            onInput={event => setValue(event.currentTarget.value)}
          />
        </label>
        <p class="quiet">It stays in this tab and is forgotten with it.</p>
        <div class="dialog-end">
          <button type="submit" class="button button-primary">
            Go on
          </button>
        </div>
      </form>
    </Dialog>
  )
}
