import type { Command } from '../contracts/command.ts'
import { VipswapError } from '../core/errors.ts'
import { own } from '../core/own.ts'
import type { FabricState } from '../fabric/state.ts'
import type { Release } from '../model/release.ts'
import { judgeSignatures, withSignature, type SignedPackage, type TrustPolicy } from '../packages/trust.ts'

/** Whose packages may be taken, and which may be deployed. */
export interface PackageTrust {
  /** An uploaded package as it is kept, with who signed it. Throws `signature_required`, `signature_invalid`. */
  judge(release: Release, signature: string | null): Release
  /** Asked before a command is decided on: keys may have changed since the upload. Throws as `judge`. */
  check(state: FabricState, command: Command): void
  /** What agents are to hold packages to; null: nothing. */
  readonly required: TrustPolicy['keys'] | null
}

export function createPackageTrust(policy: TrustPolicy): PackageTrust {
  return {
    judge: (release, signature) => {
      const { signatures: known = [], signedBy: _before, ...rest } = release
      const signatures = signature === null ? known : withSignature(known, signature)
      if (signature !== null)
        judgeSignatures({ ...signedPackage(release), signatures: [signature] }, { ...policy, required: false })
      const signers = judgeSignatures({ ...signedPackage(release), signatures }, policy)
      return {
        ...rest,
        ...(signatures.length === 0 ? {} : { signatures }),
        ...(signers.length === 0 ? {} : { signedBy: signers }),
      }
    },
    check: (state, command) => {
      if (!policy.required || !('package' in command)) return
      const release = own(state.releases, command.package)
      // What is not there is refused in words of its own.
      if (release !== undefined) judgeSignatures(signedPackage(release), policy)
    },
    required: policy.required ? policy.keys : null,
  }
}

/** A release again under the keys of now; null where its signers are the same. */
export function rejudged(release: Release, { keys }: TrustPolicy): Release | null {
  const { signedBy = [], ...rest } = release
  if (release.signatures === undefined) return null
  let signers: string[] = []
  try {
    signers = judgeSignatures(signedPackage(release), { required: false, keys })
  } catch (error) {
    if (!(error instanceof VipswapError)) throw error
  }
  if (JSON.stringify(signers) === JSON.stringify(signedBy)) return null
  return { ...rest, ...(signers.length === 0 ? {} : { signedBy: signers }) }
}

export function signedPackage({ digest, definition, signatures = [] }: Release): SignedPackage {
  return { digest, name: definition.name, version: definition.version, signatures }
}
