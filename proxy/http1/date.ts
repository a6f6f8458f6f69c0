let second = 0
let text = ''

/** The value of `Date` (RFC 9110 section 5.6.7) for now, made once a second. */
export function dateText(): string {
  const now = Math.floor(Date.now() / 1000)
  if (now !== second) {
    second = now
    text = new Date(now * 1000).toUTCString()
  }
  return text
}
