import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { PackageAnswer } from '../../../contracts/api/package.ts'
import type { ServiceView } from '../../../contracts/api/service.ts'
import type { Slot } from '../core/router.ts'
import { ApiError, messageOf, upload } from '../core/api.ts'
import { bytes } from '../core/format.ts'
import { Button } from '../ui/button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Bar, Callout } from '../ui/parts.tsx'
import { Faults, faultsOf } from './faults.tsx'
import { CreateForm } from './create-form.tsx'
import { UpgradeForm } from './upgrade-form.tsx'

export interface Target {
  readonly service: ServiceView
  readonly slot: Slot
}

type Upload =
  | { readonly state: 'sending'; readonly share: number }
  | { readonly state: 'refused'; readonly error: unknown }
  | { readonly state: 'there'; readonly answer: PackageAnswer }

/** From a package archive to a running operation: faults with their places, then the plan, then go. */
export function PackageDialog({
  file,
  target,
  onClose,
}: {
  file: File
  target: Target | null
  onClose: () => void
}): JSX.Element {
  const [seen, setSeen] = useState<Upload>({ state: 'sending', share: 0 })
  useEffect(() => {
    const type = mediaType(file.name)
    if (type === null) {
      setSeen({ state: 'refused', error: new ApiError(`${file.name} is no .zip, .tar.gz or .tgz`) })
      return
    }
    upload<PackageAnswer>('/v1/packages', file, type, share => setSeen({ state: 'sending', share })).then(
      answer => setSeen({ state: 'there', answer }),
      (error: unknown) => setSeen({ state: 'refused', error }),
    )
  }, [file])
  const occupied = target !== null && target.service.slots[target.slot] !== null
  const title = target === null ? 'Deploy a package' : occupied ? `Upgrade ${target.slot}` : `Deploy to ${target.slot}`
  return (
    <Dialog title={title} look="dialog-wide" onClose={onClose}>
      <p class="quiet">
        <span class="mono">{file.name}</span>, {bytes(file.size)}
      </p>
      {seen.state === 'sending' ? <Bar share={seen.share} label="upload" /> : null}
      {seen.state === 'refused' ? <Refused error={seen.error} onClose={onClose} /> : null}
      {seen.state !== 'there' ? null : target !== null && occupied ? (
        <UpgradeForm answer={seen.answer} target={target} onClose={onClose} />
      ) : (
        <CreateForm answer={seen.answer} target={target} onClose={onClose} />
      )}
    </Dialog>
  )
}

function Refused({ error, onClose }: { error: unknown; onClose: () => void }): JSX.Element {
  const faults = error instanceof ApiError ? faultsOf(error.problem) : []
  return (
    <>
      {faults.length === 0 ? <Callout tone="bad">{messageOf(error)}</Callout> : <Faults faults={faults} />}
      <div class="dialog-end">
        <Button local kind="primary" onClick={onClose}>
          Close
        </Button>
      </div>
    </>
  )
}

function mediaType(name: string): string | null {
  if (/\.zip$/i.test(name)) return 'application/zip'
  return /\.(?:tgz|gz)$/i.test(name) ? 'application/gzip' : null
}
