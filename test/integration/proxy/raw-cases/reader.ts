// A reader of its own, much simpler than the proxy's: it takes well-formed messages only and finds where each one ends.

/** Where the message that begins at `at` ends, or -1 if it is not whole. `bodyless`: its fields tell of no body. */
function messageEnd(text: string, at: number, bodyless: boolean): number {
  const headEnd = text.indexOf('\r\n\r\n', at)
  if (headEnd === -1) return -1
  const head = text.slice(at, headEnd + 2)
  let end = headEnd + 4
  if (bodyless) return end
  if (/\r\ntransfer-encoding: chunked\r\n/i.test(head)) {
    for (;;) {
      const lineEnd = text.indexOf('\r\n', end)
      if (lineEnd === -1) return -1
      const size = Number.parseInt(text.slice(end, lineEnd), 16)
      end = lineEnd + 2
      if (size > 0) end += size + 2
      else if (text.startsWith('\r\n', end)) return end + 2
      else {
        const trailerEnd = text.indexOf('\r\n\r\n', end)
        return trailerEnd === -1 ? -1 : trailerEnd + 4
      }
    }
  }
  const length = /\r\ncontent-length: (\d+)\r\n/i.exec(head)
  if (length !== null) end += Number(length[1])
  return end > text.length ? -1 : end
}

/** The whole requests at the beginning of `text`, and what is left. */
export function readRequests(text: string): { requests: string[]; rest: string } {
  const requests: string[] = []
  let at = 0
  while (at < text.length) {
    const end = messageEnd(text, at, false)
    if (end === -1) break
    requests.push(text.slice(at, end))
    at = end
  }
  return { requests, rest: text.slice(at) }
}

export interface Answer {
  readonly status: number
  readonly head: string
  readonly body: string
}

/** The whole final answers in `text` to requests of these methods, in order, and what is left. */
export function readAnswers(text: string, methods: readonly string[]): { answers: Answer[]; rest: string } {
  const answers: Answer[] = []
  let at = 0
  while (at < text.length) {
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text.slice(at, at + 12))?.[1] ?? 0)
    const bodyless = status < 200 || status === 204 || status === 304 || methods[answers.length] === 'HEAD'
    const end = messageEnd(text, at, bodyless)
    if (end === -1) break
    const headEnd = text.indexOf('\r\n\r\n', at) + 4
    if (status === 0 || status >= 200)
      answers.push({ status, head: text.slice(at, headEnd), body: text.slice(headEnd, end) })
    at = end
  }
  return { answers, rest: text.slice(at) }
}
