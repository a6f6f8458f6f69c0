import { compareRevisions, type Revision } from '../../contracts/revision.ts'

/**
 * Sends a peer the newest whole state, one push outstanding at a time. States that differ from the one already sent in
 * nothing but their revision are not sent again: an acknowledgement of what was sent counts for all of them.
 */
export class LatestPush<T extends { readonly revision: Revision }> {
  readonly #send: (value: T) => void
  #newest: { value: T; content: string } | null = null
  #sent: { revision: Revision; content: string; covers: Revision } | null = null
  #acknowledged: { sent: Revision; covers: Revision } | null = null
  #outstanding = false

  constructor(send: (value: T) => void) {
    this.#send = send
  }

  /**
   * Offers a newer state; `content` is all of it that matters to the peer, as text. Answers true when the peer already has its content and has acknowledged it, so that the
   * acknowledgement stands for this revision too.
   */
  offer(value: T, content: string): boolean {
    if (this.#sent !== null && this.#sent.content === content && this.#newest === null) {
      this.#sent.covers = value.revision
      if (this.#acknowledged === null || this.#outstanding) return false
      this.#acknowledged.covers = value.revision
      return true
    }
    this.#newest = { value, content }
    if (!this.#outstanding) this.#push(value, content)
    return false
  }

  /** The peer has applied `revision`: answers the newest revision this stands for, and sends what waits. */
  acknowledge(revision: Revision): Revision {
    const sent = this.#sent
    if (sent === null || compareRevisions(revision, sent.revision) < 0) return revision
    this.#acknowledged = { sent: sent.revision, covers: sent.covers }
    this.#outstanding = false
    const covers = sent.covers
    if (this.#newest !== null) this.#push(this.#newest.value, this.#newest.content)
    return covers
  }

  /** The peer refused what was sent: it holds a higher revision. The next offer is sent whatever its content. */
  refused(): void {
    this.#outstanding = false
    this.#newest = null
    this.#sent = null
    this.#acknowledged = null
  }

  /** The newest revision that a count taken under `revision` stands for. */
  covered(revision: Revision): Revision {
    const acknowledged = this.#acknowledged
    if (acknowledged === null || compareRevisions(revision, acknowledged.sent) !== 0) return revision
    return acknowledged.covers
  }

  #push(value: T, content: string): void {
    this.#newest = null
    this.#outstanding = true
    this.#sent = { revision: value.revision, content, covers: value.revision }
    this.#send(value)
  }
}
