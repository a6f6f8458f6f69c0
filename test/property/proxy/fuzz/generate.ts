import type { Prng } from '../../../simulation/prng.ts'

// Messages near the edge: most parts are right, some are odd, and then some octets are changed.

const METHODS = [
  'GET',
  'GET',
  'POST',
  'POST',
  'PUT',
  'HEAD',
  'DELETE',
  'OPTIONS',
  'PATCH',
  'CONNECT',
  'TRACE',
  'get',
  'X',
  '',
]
const TARGETS = [
  '/',
  '/',
  '/a?b=c',
  '/%00',
  '//x',
  '*',
  'http://app/p',
  'http://app',
  'http://u@app/',
  'app:80',
  'a',
  '/a#b',
  '/a b',
  '/\\',
  '/\xe4',
  '',
]
const VERSIONS = [
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/1.2',
  'HTTP/2.0',
  'HTTP/0.9',
  'http/1.1',
  'HTTP/1.1 ',
  '',
]
const ENDS = ['\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r', '\r\r\n', '\r\n ', '\n\r']
const BLANKS = [' ', ' ', ' ', ' ', ' ', '', '\t', '  ', '\x0b']
const HOSTS = ['app', 'app', 'app', 'app:80', '[::1]', '', 'a b', 'a/b', 'a@b', 'a,b', '\xe4']
const LENGTHS = [
  '0',
  '1',
  '3',
  '5',
  '5',
  '5',
  '10',
  '05',
  '+5',
  '-5',
  '0x5',
  '5 5',
  '5, 5',
  '5,5',
  '',
  '5a',
  '99999999999999999999',
  '\xa05',
  '5\x0b',
]
const CODINGS = [
  'chunked',
  'chunked',
  'chunked',
  'Chunked',
  'gzip',
  'identity',
  'gzip, chunked',
  'chunked, gzip',
  'chunked, chunked',
  '"chunked"',
  'chunked;a',
  '\xa0chunked',
  '\x0bchunked',
  ',chunked',
  'chunked,',
  '',
]
const CONNECTIONS = [
  'close',
  'keep-alive',
  'Keep-Alive',
  'x-a',
  'x-a, close',
  'Content-Length',
  'Host',
  'Transfer-Encoding',
  'Upgrade',
  'TE, close',
  '',
  ',',
]
const PLAIN = [
  'A: b',
  'X-A: 1',
  'x-a: 2',
  'Cookie: a=b; c="d"',
  'Accept: */*',
  'B:',
  'C:\t d \t',
  'D: \xe4\x80',
  '__proto__: 1',
  'E: ,',
  'Via: 1.0 a',
  'X_Forwarded_For: 1',
  'X-Forwarded-For: 2',
  'Expect: 100-continue',
  'Expect: x',
  'TE: trailers',
  'Trailer: X',
  'Upgrade: websocket',
  'Upgrade: h2c',
  'Keep-Alive: timeout=5',
  'Date: x',
  'Set-Cookie: a=1',
  'Set-Cookie: b=2',
  'Max-Forwards: 3',
  'Max-Forwards: 0',
  'Max-Forwards: x',
]
const ODD = [
  'A : b',
  'A',
  ': b',
  ' A: b',
  '\tA: b',
  'A\0: b',
  'A: \0',
  'A: b\x01',
  'A: b\rc',
  'A: b\nc',
  'A(: b',
  '\xe4: b',
  'A: b\x7f',
  '',
]
const SIZES = [
  '0',
  '1',
  '3',
  '5',
  'a',
  'A',
  '05',
  '5 ',
  ' 5',
  '0x5',
  '+5',
  '-1',
  'g',
  '',
  'ffffffffffffffff',
  '10000000000000005',
]
const EXTENSIONS = [
  '',
  '',
  '',
  '',
  '',
  ';a',
  ';a=b',
  ';a="b;c"',
  '; a = b',
  ' ;a',
  ';',
  ';a=',
  ';a="',
  ';a\nb',
  ';a\0',
  ';\xe4',
]
const TRAILERS = [
  '',
  '',
  '',
  '',
  'X: y',
  'A: b\r\nC: d',
  'Content-Length: 5',
  'Transfer-Encoding: chunked',
  'A : b',
  'A',
  ' A: b',
  'A: b\n',
  'Host: x',
]
const STATUSES = [
  '200',
  '200',
  '200',
  '204',
  '304',
  '404',
  '500',
  '100',
  '103',
  '101',
  '099',
  '600',
  '999',
  '20',
  '2000',
  '+20',
  '',
]
const REASONS = [' OK', ' OK', ' OK', ' ', '', ' a b', ' \xe4', ' \x01', ' \0', '  ', '\t']
const OCTETS = [
  '\0',
  '\t',
  '\n',
  '\r',
  '\r\n',
  '\r\n\r\n',
  ' ',
  '"',
  ',',
  ':',
  ';',
  '0',
  '5',
  'a',
  '\x0b',
  '\x7f',
  '\x80',
  '\xa0',
  '\xff',
  '\x01',
]

function fields(random: Prng, host: boolean): string {
  const lines: string[] = []
  if (host && !random.chance(0.05))
    lines.push(`Host:${random.pick(BLANKS)}${random.pick(random.chance(0.8) ? ['app'] : HOSTS)}`)
  if (host && random.chance(0.03)) lines.push(`Host: ${random.pick(HOSTS)}`)
  for (let n = random.between(0, 3); n > 0; n--) lines.push(random.pick(random.chance(0.93) ? PLAIN : ODD))
  if (random.chance(0.2)) lines.push(`Connection: ${random.pick(CONNECTIONS)}`)
  const framing = random.between(0, 9)
  if (framing < 4)
    lines.push(`Content-Length:${random.pick(BLANKS)}${random.pick(random.chance(0.7) ? ['0', '3', '5'] : LENGTHS)}`)
  else if (framing < 8)
    lines.push(`Transfer-Encoding:${random.pick(BLANKS)}${random.pick(random.chance(0.7) ? ['chunked'] : CODINGS)}`)
  if (random.chance(0.04)) lines.push(`Content-Length: ${random.pick(LENGTHS)}`)
  if (random.chance(0.04)) lines.push(`Transfer-Encoding: ${random.pick(CODINGS)}`)
  if (random.chance(0.3)) lines.reverse()
  return lines.map(line => line + end(random)).join('')
}

function end(random: Prng): string {
  return random.chance(0.99) ? '\r\n' : random.pick(ENDS)
}

function body(random: Prng, head: string): string {
  if (!/transfer-encoding/i.test(head)) {
    const length = Number(/content-length:[\t ]*(\d+)/i.exec(head)?.[1] ?? 0)
    return random.chance(0.9) && length < 100
      ? '\0\r\n\xffhello, 0\r\n\r\nGET'.slice(0, length)
      : random.pick(['', 'hello', '0\r\n\r\n'])
  }
  let chunks = ''
  for (let n = random.between(0, 3); n > 0; n--) {
    const data = random.pick(['a', 'abc', 'hello', '0\r\n\r\n', '0123456789'])
    const size = random.chance(0.95) ? data.length.toString(16) : random.pick(SIZES)
    chunks += size + (random.chance(0.8) ? '' : random.pick(EXTENSIONS)) + end(random) + data + end(random)
  }
  const trailer = random.chance(0.8) ? '' : random.pick(TRAILERS)
  return `${chunks}0${random.chance(0.9) ? '' : random.pick(EXTENSIONS)}${end(random)}${trailer === '' ? '' : trailer + end(random)}${end(random)}`
}

function changed(random: Prng, text: string): string {
  let out = text
  const rate = random.next()
  let changes = rate < 0.6 ? 0 : rate < 0.85 ? 1 : random.between(2, 4)
  for (; changes > 0; changes--) {
    const at = random.between(0, out.length)
    const kind = random.between(0, 6)
    if (kind === 0) out = out.slice(0, at) + random.pick(OCTETS) + out.slice(at)
    else if (kind === 1) out = out.slice(0, at) + out.slice(at + 1)
    else if (kind === 2) out = out.slice(0, at) + random.pick(OCTETS) + out.slice(at + 1)
    else if (kind === 3) out = out.slice(0, at) + String.fromCharCode(random.between(0, 255)) + out.slice(at + 1)
    else if (kind === 4) out = out.slice(0, at)
    else if (kind === 5) out = out.slice(0, at) + out.slice(random.between(Math.max(0, at - 20), at), out.length)
    else out = out.replace('\r\n', '\n')
  }
  return out
}

function oneRequest(random: Prng): string {
  const odd = random.chance(0.15)
  const line = odd
    ? `${random.pick(METHODS)}${random.pick(BLANKS)}${random.pick(TARGETS)}${random.pick(BLANKS)}${random.pick(VERSIONS)}`
    : `${random.pick(['GET', 'POST', 'PUT', 'OPTIONS'])} ${random.pick(['/', '/a?b', 'http://app/p'])} HTTP/1.${random.chance(0.9) ? 1 : 0}`
  const head = `${line}${end(random)}${fields(random, true)}`
  return `${head}${end(random)}${body(random, head)}`
}

/** The octets of a connection: one to three requests. */
export function generateRequests(random: Prng): string {
  let text = random.chance(0.05) ? random.pick(['\r\n', '\r\n\r\n', '\n', '\r', ' ']) : ''
  for (let n = random.chance(0.7) ? 1 : random.between(2, 3); n > 0; n--) text += oneRequest(random)
  return changed(random, text)
}

/** The octets of an instance's answer. */
export function generateAnswer(random: Prng): string {
  let text = ''
  for (let n = random.chance(0.9) ? 0 : random.between(1, 2); n > 0; n--) {
    text += `HTTP/1.1 ${random.pick(['100', '103', '102'])} X\r\n${random.chance(0.8) ? '' : fields(random, false)}\r\n`
  }
  const odd = random.chance(0.15)
  const line = odd
    ? `${random.pick(VERSIONS)}${random.pick(BLANKS)}${random.pick(STATUSES)}${random.pick(REASONS)}`
    : `HTTP/1.${random.chance(0.9) ? 1 : 0} ${random.pick(['200', '204', '304', '404'])} OK`
  const head = `${line}${end(random)}${fields(random, false)}`
  return changed(random, `${text}${head}${end(random)}${body(random, head)}`)
}
