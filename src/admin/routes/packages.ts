import { createHash, type Hash } from 'node:crypto'
import { PassThrough, Transform, pipeline, type Readable } from 'node:stream'
import { VipswapError } from '../../core/errors.ts'
import type { AdminApp, AdminContext } from '../context.ts'
import { ADD_PACKAGE } from '../calls/rest.ts'

const KINDS = { 'application/gzip': 'gzip', 'application/zip': 'zip' } as const
type MediaType = keyof typeof KINDS

/** Uploads. Their bodies are streamed to the controller, never held whole. */
export async function packageRoutes(app: AdminApp, { api, maxPackageBytes }: AdminContext): Promise<void> {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(Object.keys(KINDS), (_request: unknown, _payload: unknown, done: (error: null) => void) =>
    done(null),
  )

  app.post('/v1/packages', { config: { call: ADD_PACKAGE } }, async (request, reply) => {
    const kind = KINDS[mediaType(request.headers['content-type'])]
    if (Number(request.headers['content-length'] ?? 0) > maxPackageBytes) {
      // Not read to its end: the connection cannot be used again.
      reply.header('connection', 'close')
      throw tooLarge(maxPackageBytes)
    }
    const hash = createHash('sha256')
    const limited = limit(request.raw, maxPackageBytes, hash)
    try {
      const { created, ...answer } = await api.addPackage(
        limited,
        kind,
        signatureOf(request.headers['vipswap-signature']),
      )
      request.audit.bodyDigest = hash.digest('hex')
      reply.code(created ? 201 : 200)
      return answer
    } catch (error) {
      if (!request.raw.readableEnded) reply.header('connection', 'close')
      throw error
    } finally {
      limited.destroy()
    }
  })
}

/** A .minisig file has four lines, which no field can hold: it comes in base64. */
function signatureOf(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined
  if (typeof header !== 'string' || !/^[A-Za-z0-9+/_-]{1,12000}={0,2}$/.test(header)) {
    throw new VipswapError('signature_invalid', 'Vipswap-Signature holds the text of a .minisig file in base64')
  }
  return Buffer.from(header, 'base64').toString('utf8')
}

function mediaType(header: string | undefined): MediaType {
  const type = (header ?? '').split(';')[0]?.trim().toLowerCase()
  if (type === 'application/gzip' || type === 'application/zip') return type
  throw new VipswapError('unsupported_media_type', 'send the package as application/gzip (.tar.gz) or application/zip')
}

/** The same bytes, hashed on the way, failing with `package_too_large` past the limit. The request itself stays open for the answer. */
function limit(source: Readable, maxBytes: number, hash: Hash): Readable {
  let seen = 0
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      seen += chunk.length
      hash.update(chunk)
      if (seen > maxBytes) done(tooLarge(maxBytes))
      else done(null, chunk)
    },
  })
  // `pipe` leaves the request alone when the counter fails, so that the refusal can still be answered.
  source.pipe(counter)
  source.once('error', error => counter.destroy(error))
  source.once('close', () => {
    if (!source.readableEnded) counter.destroy(new VipswapError('cancelled', 'the upload was broken off'))
  })
  return pipeline(counter, new PassThrough(), () => {
    source.unpipe(counter)
    source.resume()
  })
}

function tooLarge(maxBytes: number): VipswapError {
  return new VipswapError(
    'package_too_large',
    `the package is larger than ${maxBytes} bytes; leave out what is built or installed`,
  )
}
