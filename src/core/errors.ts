/**
 * The error catalogue: every code a caller can meet, with the HTTP status it travels under.
 * docs/errors.md lists the same codes; a test keeps the two equal.
 */
export const ERRORS = {
  // A person's mistake in what was sent or written.
  invalid_definition: { status: 422 },
  invalid_configuration: { status: 422 },
  invalid_package: { status: 422 },
  invalid_policy: { status: 422 },
  signature_required: { status: 422 },
  signature_invalid: { status: 422 },
  package_too_large: { status: 413 },
  invalid_request: { status: 400 },
  request_too_large: { status: 413 },
  headers_too_large: { status: 431 },
  unsupported_media_type: { status: 415 },
  usage: { status: 400 },
  // Something that is not there.
  service_not_found: { status: 404 },
  slot_empty: { status: 409 },
  deployment_not_found: { status: 404 },
  instance_not_found: { status: 404 },
  role_not_found: { status: 404 },
  operation_not_found: { status: 404 },
  package_not_found: { status: 404 },
  node_not_found: { status: 404 },
  mark_not_found: { status: 404 },
  member_not_found: { status: 404 },
  not_found: { status: 404 },
  // Something in the way now.
  slot_occupied: { status: 409 },
  operation_in_progress: { status: 409 },
  upgrade_in_progress: { status: 409 },
  no_upgrade: { status: 409 },
  walk_not_allowed: { status: 409 },
  rollback_not_allowed: { status: 409 },
  endpoint_mismatch: { status: 409 },
  expectation_failed: { status: 409 },
  not_running: { status: 409 },
  not_ready: { status: 409 },
  nothing_to_do: { status: 409 },
  identical_target: { status: 409 },
  port_in_use: { status: 409 },
  address_conflict: { status: 409 },
  certificate_conflict: { status: 409 },
  no_nodes: { status: 409 },
  no_links: { status: 409 },
  no_room: { status: 409 },
  quota_exceeded: { status: 409 },
  force_required: { status: 409 },
  stale_report: { status: 409 },
  too_many_reports: { status: 409 },
  recovery_pending: { status: 409 },
  // Never allowed this way.
  change_not_allowed: { status: 422 },
  unknown_size: { status: 422 },
  user_not_allowed: { status: 422 },
  idempotency_conflict: { status: 422 },
  // The caller's picture of it is out of date.
  precondition_failed: { status: 412 },
  // How an operation or a process ended.
  start_failed: { status: 500 },
  health_check_failed: { status: 500 },
  upgrade_timed_out: { status: 500 },
  hook_failed: { status: 500 },
  warm_up_failed: { status: 500 },
  verify_failed: { status: 500 },
  superseded: { status: 409 },
  cancelled: { status: 409 },
  timed_out: { status: 504 },
  unreachable: { status: 503 },
  store_damaged: { status: 503 },
  store_full: { status: 507 },
  store_conflict: { status: 503 },
  store_locked: { status: 503 },
  already_running: { status: 409 },
  unauthorized: { status: 401 },
  forbidden: { status: 403 },
  too_many_attempts: { status: 429 },
  internal: { status: 500 },
} as const satisfies Record<string, { status: number }>

export type ErrorCode = keyof typeof ERRORS

/** An error a person or a program can act on: `message` says what was wrong, where, and what to do instead. */
export class VipswapError extends Error {
  readonly code: ErrorCode
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, message: string, details: Record<string, unknown> = {}, options?: ErrorOptions) {
    super(message, options)
    this.name = 'VipswapError'
    this.code = code
    this.details = details
  }

  get status(): number {
    return ERRORS[this.code].status
  }
}

/** The text of anything that was thrown. */
export function errorMessage(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}

/** The `code` of a Node system error (`ENOENT`, `EADDRINUSE`, …), or undefined. */
export function systemCode(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined
}

/** For the end of a `switch` over a union: fails to compile when a case is missing. */
export function assertNever(value: never): never {
  throw new VipswapError('internal', `unexpected value: ${JSON.stringify(value)}`)
}
