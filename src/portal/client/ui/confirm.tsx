import type { ComponentChildren, JSX } from 'preact'
import { Button } from './button.tsx'
import { Dialog } from './dialog.tsx'

/** Asks once more before something that callers or data may feel. */
export function Confirm({
  title,
  go,
  children,
  danger = false,
  onGo,
  onClose,
}: {
  title: string
  go: string
  children: ComponentChildren
  danger?: boolean
  onGo: () => void
  onClose: () => void
}): JSX.Element {
  return (
    <Dialog title={title} onClose={onClose}>
      <p>{children}</p>
      <div class="dialog-end">
        <Button local onClick={onClose}>
          Leave it
        </Button>
        <Button
          kind={danger ? 'danger' : 'primary'}
          onClick={() => {
            onGo()
            onClose()
          }}
        >
          {go}
        </Button>
      </div>
    </Dialog>
  )
}
