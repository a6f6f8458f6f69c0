import type { Socket } from 'node:net'

/** A write under way, as Node's streams know it. */
export interface WriteRequest {
  oncomplete: (status: number) => void
  /** Keeps the memory of a write that is under way. */
  buffer?: Uint8Array
}

/** What lies below a net.Socket; only onread-socket.ts and direct-io.ts reach for it. */
export interface StreamHandle {
  reading: boolean
  onread?: (this: unknown, ...rest: unknown[]) => Uint8Array | undefined
  useUserBuffer?: unknown
  readStart(): number
  readStop(): number
  writeLatin1String?(request: WriteRequest, text: string): number
  writeBuffer?(request: WriteRequest, bytes: Uint8Array): number
}

/** Null once the socket is destroyed. */
export function handleOf(socket: Socket): StreamHandle | null {
  // `_handle` is not in the types.
  return (socket as unknown as { _handle?: StreamHandle | null })._handle ?? null
}
