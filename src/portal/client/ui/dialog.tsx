import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useId, useRef } from 'preact/hooks'
import { openDialogs } from './dialogs.ts'
import { Icon } from './icon.tsx'
import { Notices } from './notices.tsx'

/** A modal dialog; the browser's own, so that focus, Escape and the rest of the page behave. */
export function Dialog({
  title,
  onClose,
  children,
  look = '',
}: {
  title: string
  onClose: () => void
  children: ComponentChildren
  look?: '' | 'dialog-wide' | 'drawer'
}): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null)
  const id = useId()
  useEffect(() => {
    const before = document.activeElement
    dialog.current?.showModal()
    openDialogs.set([...openDialogs.get(), id])
    return () => {
      openDialogs.set(openDialogs.get().filter(each => each !== id))
      if (before instanceof HTMLElement) before.focus()
    }
  }, [])
  return (
    <dialog
      ref={dialog}
      class={`dialog ${look}`}
      aria-labelledby={id}
      onClose={onClose}
      onClick={event => {
        // Beside the box is the backdrop, which belongs to the dialog.
        if (event.target === event.currentTarget) event.currentTarget.close()
      }}
    >
      <div class="dialog-box">
        <header class="dialog-head">
          <h2 id={id} tabIndex={-1} autofocus>
            {title}
          </h2>
          <button
            type="button"
            class="icon-button"
            aria-label="close"
            title="close (Esc)"
            onClick={() => dialog.current?.close()}
          >
            <Icon name="cross" />
          </button>
        </header>
        {children}
      </div>
      <Notices within={id} />
    </dialog>
  )
}
