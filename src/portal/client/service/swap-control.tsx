import type { JSX } from 'preact'
import type { ServiceView } from '../../../contracts/api/service.ts'
import { Icon } from '../ui/icon.tsx'

/** The button between the slots. It opens the dialog also where a swap is blocked: there it says by what. */
export function SwapControl({ service, onSwap }: { service: ServiceView; onSwap: () => void }): JSX.Element {
  const { prepared } = service
  const swap = (service.slots.staging ?? service.slots.production)?.actions.swap
  const running = service.operation?.kind === 'swap'
  return (
    <div class="swap" data-running={running}>
      <button type="button" class="button button-swap" onClick={onSwap} title="swap (s)">
        <Icon name="swap" size={20} />
        {prepared === null ? 'Swap…' : 'Commit…'}
      </button>
      <p class="quiet">
        {prepared === null ? (running ? 'swapping' : swap?.allowed === true ? '' : 'blocked') : 'prepared'}
      </p>
    </div>
  )
}
