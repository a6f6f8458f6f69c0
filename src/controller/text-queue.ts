import { VipswapError } from '../core/errors.ts'

const MAX_PENDING = 4 * 1024 * 1024

/**
 * Turns pushed texts into an async iterable. Ends with `onEnd` or the signal; a reader that falls 4 MiB behind loses the
 * oldest and is told so.
 */
export function textQueue(signal: AbortSignal): {
  sink: { onText: (text: string) => void; onEnd: (error: string | null) => void }
  texts: AsyncIterable<string>
} {
  const pending: string[] = []
  let bytes = 0
  let ended: { error: string | null } | null = null
  let wake: (() => void) | null = null
  const rouse = (): void => {
    wake?.()
    wake = null
  }
  signal.addEventListener('abort', () => {
    ended ??= { error: null }
    rouse()
  })
  async function* drain(): AsyncGenerator<string> {
    for (;;) {
      const text = pending.shift()
      if (text !== undefined) {
        bytes -= text.length
        yield text
      } else if (ended !== null) {
        if (ended.error !== null) throw new VipswapError('unreachable', ended.error)
        return
      } else {
        await new Promise<void>(resolve => {
          wake = resolve
        })
      }
    }
  }
  return {
    sink: {
      onText: text => {
        pending.push(text)
        bytes += text.length
        if (bytes > MAX_PENDING) {
          while (bytes > MAX_PENDING) bytes -= pending.shift()?.length ?? bytes
          pending.unshift('[vipswap] the reader fell behind: lines are missing here\n')
        }
        rouse()
      },
      onEnd: error => {
        ended ??= { error }
        rouse()
      },
    },
    texts: drain(),
  }
}
