/**
 * Reads a stream of server-sent events to its end. `onPiece` gets the data of each event, and null for whatever else came
 * (a heartbeat). `EventSource` would do, could it send a token.
 */
export async function readServerSentEvents(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  onPiece: (data: string | null) => void,
): Promise<void> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    const blocks = (rest + value).split('\n\n')
    rest = blocks.pop() ?? ''
    for (const block of blocks) {
      const data = block
        .split('\n')
        .filter(line => line.startsWith('data: '))
        .map(line => line.slice(6))
      onPiece(data.length === 0 ? null : data.join('\n'))
    }
    if (blocks.length === 0) onPiece(null)
  }
}
