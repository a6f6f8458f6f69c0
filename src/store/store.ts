/**
 * The journal behind one small interface. Keys are slash-separated paths (`service/guestbook`), values are JSON.
 * Implementations: `level-store.ts` (one machine). Nothing here assumes one machine: a commit succeeds only on top of
 * the sequence its writer has seen.
 */
export interface Store {
  /** Sequence of the newest commit; 0 in a new store. */
  readonly sequence: number
  /** Random name given at first initialisation: tells this fabric from any other. */
  readonly fabricId: string
  /** The value under a key, or undefined. */
  get(key: string): Promise<unknown>
  /** All keys that begin with `prefix`, in key order. */
  range(prefix: string): AsyncIterable<readonly [key: string, value: unknown]>
  /**
   * Writes all changes or none, durable once resolved; answers the new sequence. Rejects with `store_conflict` when
   * `expected` is not the newest sequence, and with the store unchanged.
   */
  transact(expected: number, changes: readonly Change[]): Promise<number>
  /** Calls `listener` after each commit, in order. Returns how to stop. */
  watch(listener: (commit: Commit) => void): () => void
  close(): Promise<void>
}

/** `value` undefined deletes the key. */
export interface Change {
  readonly key: string
  readonly value: unknown
}

export interface Commit {
  readonly sequence: number
  readonly changes: readonly Change[]
}
