import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { shortcuts, shortcutsOn, switchShortcuts } from '../core/shortcuts.ts'
import { useStore } from '../core/store.ts'
import { Dialog } from '../ui/dialog.tsx'

export function Help({ onClose }: { onClose: () => void }): JSX.Element {
  const on = useStore(shortcutsOn)
  // Those of the page below, not of this dialog.
  const [known] = useState(shortcuts)
  return (
    <Dialog title="Shortcuts" onClose={onClose}>
      <table class="shortcuts">
        <tbody>
          {known.map(({ keys, what }) => (
            <tr key={keys}>
              <th scope="row">
                {keys.split(' ').map(key => (
                  <kbd key={key}>{key}</kbd>
                ))}
              </th>
              <td>{what}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <label class="check">
        <input type="checkbox" checked={on} onChange={event => switchShortcuts(event.currentTarget.checked)} />{' '}
        shortcuts are on
      </label>
      <p class="quiet">
        This page is a client of <code>/v1</code>; <code>vipswap --help</code> does the same in a terminal.
      </p>
    </Dialog>
  )
}
