/** Why a connection came to nothing before its first request. */
const INTAKE_CAUSES = [
  'proxy-header', // no whole and valid PROXY protocol header where one must be
  'client-hello', // what came first on a TLS port is no TLS
  'plain-http', // it was HTTP without TLS: answered 400
  'certificate', // the proxy's own certificate for the name cannot be used
  'handshake', // TLS could not be agreed on, or the client left in the middle
  'client-certificate', // none where one is required, or one that is not to be trusted
  'timeout', // it took longer than headTimeout
  'too-many', // more at once than the intake takes
] as const
export type IntakeCause = (typeof INTAKE_CAUSES)[number]

/** Counts of them since the worker began. The newest one's words are kept, so that a log can say one thing now and then. */
export class IntakeFailures {
  readonly counts: Record<IntakeCause, number> = {
    'proxy-header': 0,
    'client-hello': 0,
    'plain-http': 0,
    certificate: 0,
    handshake: 0,
    'client-certificate': 0,
    timeout: 0,
    'too-many': 0,
  }
  #told: Readonly<Record<IntakeCause, number>> = { ...this.counts }
  #last = ''

  add(cause: IntakeCause, address: string, detail: string): void {
    this.counts[cause]++
    this.#last = `${address}: ${detail}`
  }

  /** What is new since this was last asked: counts by cause and the newest in words; null: nothing. */
  news(): { counts: Partial<Record<IntakeCause, number>>; last: string } | null {
    const counts: Partial<Record<IntakeCause, number>> = {}
    for (const cause of INTAKE_CAUSES) {
      const more = this.counts[cause] - this.#told[cause]
      if (more > 0) counts[cause] = more
    }
    this.#told = { ...this.counts }
    return Object.keys(counts).length === 0 ? null : { counts, last: this.#last }
  }
}
