import type { FromVerifier, ToVerifier } from './messages.ts'
import { Traffic } from './traffic.ts'

/** A process of the controller's: probe traffic for one task. It ends with its controller. */
const say = (message: FromVerifier): void => {
  process.send?.(message)
}
const traffic = new Traffic({
  onReached: (phase, sent) => say({ type: 'reached', phase, sent }),
  onLost: detail => say({ type: 'lost', detail }),
})
process.on('message', message => traffic.take((message as ToVerifier).work)) // our own controller's words
process.on('disconnect', () => process.exit(0))
