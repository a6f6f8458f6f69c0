import type { JSX } from 'preact'
import type { OpenedInstance } from '../../../contracts/api/open.ts'
import type { RoleView } from '../../../contracts/api/role.ts'
import { call, messageOf } from '../core/api.ts'
import { notify } from '../core/notices.ts'
import { Button } from '../ui/button.tsx'

/** Opens the pages of one instance, whatever its slot and state, in a tab that has no hold of this one. */
export function OpenButton({ path, role }: { path: string; role: RoleView | undefined }): JSX.Element {
  const protocol = role?.endpoints[0]?.protocol
  const speaksHttp = protocol === 'http' || protocol === 'https'
  return (
    <Button reason={speaksHttp ? null : 'its role has no http endpoint'} onClick={() => void openPages(path)}>
      Open
    </Button>
  )
}

async function openPages(path: string): Promise<void> {
  // At once: browsers let no page open another some time after the click.
  const tab = window.open('', '_blank')
  if (tab === null) {
    notify('bad', 'The browser does not let this page open another')
    return
  }
  tab.opener = null
  try {
    const { url } = await call<OpenedInstance>('POST', `${path}/open`)
    tab.location.replace(new URL(url, location.href).href)
  } catch (error) {
    tab.close()
    notify('bad', `It was not opened: ${messageOf(error)}`)
  }
}
