import type { FromProxy } from '../../contracts/link.ts'
import { VipswapError } from '../../core/errors.ts'
import type { LinkHandlers } from '../links/link.ts'

/**
 * The same handlers for a peer that is known by its certificate only: a proxy then speaks for its own lives alone. `ownerOf`
 * is the id of the proxy that a life belongs to; null: nobody knows that life.
 */
export function ownWords(handlers: LinkHandlers, ownerOf: (incarnation: string) => string | null): LinkHandlers {
  return {
    ...handlers,
    onHello(hello, connection) {
      if (hello.peer === 'agent') return handlers.onHello(hello, connection)
      const isOwn = (incarnation: string): boolean => (ownerOf(incarnation) ?? hello.id) === hello.id
      if (!isOwn(hello.incarnation))
        throw new VipswapError('forbidden', `proxy ${hello.id} says that it is a life of another proxy`)
      const predecessors = hello.predecessors.filter(({ incarnation }) => isOwn(incarnation))
      const inner = handlers.onHello({ ...hello, predecessors }, connection)
      return {
        onClose: () => inner.onClose(),
        onMessage(message) {
          // A proxy's link carries nothing else.
          const said = message as FromProxy
          if (said.type !== 'predecessor' || isOwn(said.incarnation)) inner.onMessage(message)
        },
      }
    },
  }
}
