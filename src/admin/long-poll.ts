import type { FastifyReply, FastifyRequest } from 'fastify'
import { endOf, type AdminContext } from './context.ts'
import { decidedIn, decidedTag, type Tagged } from './entity-tag.ts'

/**
 * With `?wait=SECONDS`: what is found once something else was decided than the caller knows (`If-None-Match`; without it,
 * than there was), or as it is when the time is up. Without: what is found.
 */
export async function awaited<T extends Tagged>(
  { api, closing }: AdminContext,
  request: FastifyRequest<{ Querystring: { wait?: string } }>,
  reply: FastifyReply,
  find: () => T,
): Promise<T> {
  const { wait } = request.query
  const first = find()
  if (wait === undefined) return first
  const header = request.headers['if-none-match']
  const known = header === undefined ? [decidedTag(first)] : decidedIn(header)
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(), Number(wait) * 1000)
  const end = AbortSignal.any([endOf(reply.raw, closing), late.signal])
  try {
    for (;;) {
      const found = find()
      if (end.aborted || !known.includes(decidedTag(found))) return found
      await api.changed(end)
    }
  } finally {
    clearTimeout(timer)
  }
}
