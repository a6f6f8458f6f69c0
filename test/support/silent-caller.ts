import { Peer } from '../../proxy/connections/peer.ts'
import type { Caller } from '../../proxy/front/caller.ts'

/** A client that takes whatever it is given and says nothing. */
export class SilentCaller implements Caller {
  readonly peer = new Peer({ address: '192.0.2.1', port: 1, localAddress: '192.0.2.2', localPort: 80 }, null)
  readonly address = '192.0.2.2:80'
  readonly pending = 0
  readonly untaken = 0
  readonly volatile = false
  readonly payloadOnly = false
  readonly closing = false
  readonly halfClosed = false
  pause(): void {}
  resume(): void {}
  interim(): void {}
  answer(): void {}
  body(): void {}
  answered(): void {}
  answerOwn(): void {}
  cut(): void {}
  tunnelEnded(): void {}
  becomeTunnel(): null {
    return null
  }
}
