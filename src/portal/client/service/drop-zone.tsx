import type { ComponentChildren, JSX } from 'preact'
import { useRef, useState } from 'preact/hooks'

/** Takes a package archive that is dropped on it; `children` get how to pick one instead. */
export function DropZone({
  what,
  onFile,
  children,
}: {
  what: string
  onFile: (file: File) => void
  children: (pick: () => void) => ComponentChildren
}): JSX.Element {
  const [over, setOver] = useState(false)
  const field = useRef<HTMLInputElement>(null)
  const take = (files: FileList | null | undefined): void => {
    const file = files?.[0]
    if (file !== undefined) onFile(file)
  }
  return (
    <div
      class={over ? 'drop drop-over' : 'drop'}
      onDragOver={event => {
        if (event.dataTransfer?.types.includes('Files') !== true) return
        event.preventDefault()
        setOver(true)
      }}
      onDragLeave={event => {
        if (!(event.relatedTarget instanceof Node) || !event.currentTarget.contains(event.relatedTarget)) setOver(false)
      }}
      onDrop={event => {
        event.preventDefault()
        setOver(false)
        take(event.dataTransfer?.files)
      }}
    >
      <input
        ref={field}
        type="file"
        accept=".zip,.gz,.tgz"
        hidden
        aria-label={`package to ${what}`}
        onChange={event => {
          take(event.currentTarget.files)
          // The same file may be picked again once it is mended.
          event.currentTarget.value = ''
        }}
      />
      {children(() => field.current?.click())}
      {over ? <p class="drop-hint">Drop to {what}</p> : null}
    </div>
  )
}
