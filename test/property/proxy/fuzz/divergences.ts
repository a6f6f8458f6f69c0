/** A difference between the proxy's parser and Node's that is meant, and the sentence that allows it. */
export interface Divergence {
  readonly of: 'request' | 'answer'
  /** Who refuses, or waits for more, where the other takes the message. */
  readonly stricter: 'proxy' | 'node'
  /** What the stricter one says. */
  readonly why: RegExp
  /** What the message looks like from where it begins; where `why` alone does not say it. */
  readonly looks?: RegExp
  readonly rule: string
  /** Not met by every run of some thousand messages. */
  readonly seldom?: boolean
}

const proxy = (of: Divergence['of'], why: RegExp, rule: string, looks?: RegExp): Divergence =>
  looks === undefined ? { of, stricter: 'proxy', why, rule } : { of, stricter: 'proxy', why, rule, looks }
const node = (of: Divergence['of'], why: RegExp, looks: RegExp, rule: string): Divergence => ({
  of,
  stricter: 'node',
  why,
  looks,
  rule,
})

const seldom = (one: Divergence): Divergence => ({ ...one, seldom: true })

const TWO_CODINGS =
  'RFC 9112 6.1: a server may answer 501 to a coding it does not understand; 6.3: 400 where chunked is not last'
const BAD_BODY = /^broken chunked framing$/
/** Sizes followed by blanks and extensions with blanks in them. */
const BLANKS_IN_EXTENSION = /\r\n[0-9a-fA-F]+(?:[\t ]+;|;[\t ]|;[^\r\n]*[\t ]*=[\t ]|;[^\r\n]*[\t ][;=])/

export const DIVERGENCES: readonly Divergence[] = [
  proxy('request', /^no Host$/, 'RFC 9112 3.2: MUST respond 400 to a request that lacks a Host'),
  proxy(
    'request',
    /^more than one Host$/,
    'RFC 9112 3.2: MUST respond 400 to any request that contains more than one Host line',
  ),
  proxy('request', /^invalid Host$/, 'RFC 9112 3.2: MUST respond 400 to a Host with an invalid field value'),
  proxy(
    'request',
    /^invalid target$/,
    'RFC 9112 3.2: an invalid request-line SHOULD be answered by 400; RFC 9110 4.2.4: user information is to be treated as an error',
  ),
  proxy(
    'request',
    /^malformed (?:request|start)$/,
    'RFC 9112 2.2: only CRLF before a request-line is an empty line to ignore',
    /^[\r\n]/,
  ),
  proxy(
    'request',
    /^malformed (?:request|start)$/,
    'RFC 9112 3: the parts of a request-line are separated by a single SP',
    /^\S* {2}|^\S+ \S+ {2}/,
  ),
  proxy(
    'request',
    /^malformed (?:request|start)$/,
    'RFC 9112 2.3: a different major version is another protocol',
    /^\S+ \S+ HTTP\/[02]\./,
  ),
  proxy('request', /^malformed (?:request|start)$/, 'RFC 9112 3: a request-line ends with a version', /^\S+ \S+\r?\n/),
  proxy(
    'request',
    /^TRACE is not served here$/,
    'RFC 9110 9.1: a method that is known and not allowed is answered by 405',
  ),
  proxy(
    'request',
    /^(?:unknown expectation|more than one Expect)$/,
    'RFC 9110 10.1.1: MAY respond 417 to an expectation other than 100-continue',
  ),
  seldom(
    proxy(
      'request',
      /^this proxy is the last to answer, by Max-Forwards$/,
      'RFC 9110 7.6.2: at 0 the recipient MUST NOT forward the request',
    ),
  ),
  seldom(proxy('request', /^invalid Max-Forwards$/, 'RFC 9110 7.6.2: Max-Forwards is one decimal number')),
  proxy(
    'request',
    /^Transfer-Encoding in HTTP\/1\.0$/,
    'RFC 9112 6.1: MUST treat such a message as if its framing is faulty',
  ),
  proxy(
    'request',
    /^(?:invalid Transfer-Encoding|unknown transfer coding|more than one Transfer-Encoding)$/,
    TWO_CODINGS,
  ),
  proxy('request', /^both Content-Length and Transfer-Encoding$/, 'RFC 9112 6.3: ought to be handled as an error'),
  proxy(
    'request',
    BAD_BODY,
    'RFC 9110 6.5.1: framing and routing fields have no place in a trailer section',
    /\r\n0[^\r\n]*\r\n[^]*(?:host|content-length|transfer-encoding):/i,
  ),
  proxy(
    'request',
    BAD_BODY,
    'RFC 9112 7.1.1: an extension has a name, and after "=" a token or a quoted string',
    /\r\n[0-9a-fA-F]+;(?:[\r=]|[^\r\n]*=\r|[^\r\n]*=")/,
  ),
  node(
    'request',
    /^HPE_INVALID_METHOD$/,
    /^(?!(?:GET|POST|PUT|HEAD|DELETE|OPTIONS|PATCH|CONNECT|TRACE) )\S+ /,
    'RFC 9110 9.1: a method is a token; an unknown one is for the origin server to judge',
  ),
  seldom(
    node(
      'request',
      /^HPE_INVALID_CONTENT_LENGTH$/,
      /\r\ncontent-length:[\t ]*\d+ *\t/i,
      'RFC 9110 5.6.3: a blank around a value is SP or HTAB',
    ),
  ),
  node(
    'request',
    /^HPE_INVALID_VERSION$/,
    /^\S+ \S+ HTTP\/1\.[2-9]/,
    'RFC 9110 2.5: a higher minor version is to be processed as the highest one known',
  ),
  node('request', /^HPE_/, BLANKS_IN_EXTENSION, 'RFC 9112 7.1.1: blanks may stand around ";" and "=" of an extension'),

  proxy(
    'answer',
    /^(?:malformed answer|malformed start)$/,
    'RFC 9110 15: a status is a number from 100 to 599',
    /^HTTP\/1\.\d (?:0|[6-9])/,
  ),
  proxy(
    'answer',
    /^(?:malformed answer|malformed start)$/,
    'RFC 9112 2.3: a different major version is another protocol',
    /^HTTP\/[02]\./,
  ),
  proxy(
    'answer',
    /^malformed (?:answer|start)$/,
    'RFC 9112 4: a reason phrase has no controls',
    /^[^\r\n]*[^\t\r\n\x20-\x7e\x80-\xff]/,
  ),
  proxy(
    'answer',
    /^Transfer-Encoding in HTTP\/1\.0$/,
    'RFC 9112 6.1: MUST treat such a message as if its framing is faulty',
  ),
  node(
    'request',
    /^$/,
    /^(?=[^]*\r\nconnection:[^\r\n]*upgrade)[^]*\r\nupgrade:/i,
    'RFC 9110 7.8: a server MAY ignore Upgrade; what follows the request is then the next one',
  ),
  proxy('answer', /^unknown transfer coding$/, 'RFC 9110 15.6.3: 502 for an answer whose coding is not chunked alone'),
  seldom(
    proxy(
      'answer',
      /^malformed (?:answer|start)$/,
      'RFC 9112 2.2: a bare CR makes its element invalid',
      /^[^\r\n]*\r[^\n]/,
    ),
  ),
  seldom(
    proxy(
      'answer',
      /^malformed (?:answer|start)$/,
      'RFC 9112 2.2: only a server is told to skip empty lines before a message',
      /^[\r\n]/,
    ),
  ),
  seldom(
    proxy(
      'answer',
      /^invalid Content-Length$/,
      'RFC 9112 6.3: an invalid Content-Length is an unrecoverable error, whatever the status',
    ),
  ),
  proxy(
    'answer',
    /^a switch of protocols nobody asked for$/,
    'RFC 9110 7.8: a server must not switch to a protocol that was not indicated',
  ),
  proxy(
    'answer',
    BAD_BODY,
    'RFC 9110 6.5.1: framing and routing fields have no place in a trailer section',
    /\r\n0[^\r\n]*\r\n[^]*(?:host|content-length|transfer-encoding):/i,
  ),
  proxy(
    'answer',
    BAD_BODY,
    'RFC 9112 7.1.1: an extension has a name, and after "=" a token or a quoted string',
    /\r\n[0-9a-fA-F]+;(?:[\r=]|[^\r\n]*=\r|[^\r\n]*=")/,
  ),
  seldom(
    node(
      'answer',
      /^HPE_INVALID_CONTENT_LENGTH$/,
      /\r\ncontent-length:[\t ]*\d+ *\t/i,
      'RFC 9110 5.6.3: a blank around a value is SP or HTAB',
    ),
  ),
  node(
    'answer',
    /^HPE_INVALID_VERSION$/,
    /^HTTP\/1\.[2-9]/,
    'RFC 9110 2.5: a higher minor version is to be processed as the highest one known',
  ),
  node('answer', /^HPE_/, BLANKS_IN_EXTENSION, 'RFC 9112 7.1.1: blanks may stand around ";" and "=" of an extension'),
  node(
    'answer',
    /^HPE_(?:CLOSED_CONNECTION|INVALID_CONTENT_LENGTH|UNEXPECTED_CONTENT_LENGTH|INVALID_TRANSFER_ENCODING)$/,
    /^HTTP\/1\.\d 1\d\d [^]*?\r\n\r\n/,
    'RFC 9110 15.2: an interim answer ends with its head, whatever its fields say',
  ),
  seldom(
    node(
      'answer',
      /^HPE_/,
      /^HTTP\/1\.\d (?:204|304)/,
      'RFC 9112 6.3: 204 and 304 end with their head; octets after it are no part of them',
    ),
  ),
]
