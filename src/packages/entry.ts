/** One thing in an archive or folder, as it claims to be; nothing of it has been checked. */
export interface PackageEntry {
  readonly name: string
  readonly type: 'file' | 'directory' | 'link' | 'hardlink' | 'other'
  readonly executable: boolean
  /** Of a link, as written; of a hard link, the other name from the root. */
  readonly target: string
  /** Bytes of a file; empty for all else. */
  readonly content: AsyncIterable<Uint8Array>
}

/** Takes entries one by one, in the archive's order; the next comes when the promise settles. */
export type EntrySink = (entry: PackageEntry) => Promise<void>

/** The content of what has none. */
export const NO_CONTENT: AsyncIterable<Uint8Array> = {
  [Symbol.asyncIterator]: () => ({ next: async () => ({ done: true, value: undefined }) }),
}
