import type { FailureReason } from '../../model/states.ts'

/** What a gate says: on to the next domain, not yet, or never. */
export type Verdict =
  | { readonly kind: 'go' }
  | { readonly kind: 'wait' }
  | { readonly kind: 'fail'; readonly reason: FailureReason; readonly message: string }
