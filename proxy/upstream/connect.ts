import { Http2Upstream } from '../http2/http2-upstream.ts'
import type { TargetState } from '../routing/target.ts'
import type { AnswerSink } from './answer-sink.ts'
import { UpstreamConnection } from './upstream-connection.ts'
import type { Upstream } from './upstream.ts'

/** A new way to an instance for `sink`, which is told by `onConnected` or `onConnectFailed`. */
export function dialUpstream(target: TargetState, sink: AnswerSink): Upstream {
  return target.backend === 'h2c' ? Http2Upstream.dial(target, sink) : new UpstreamConnection(target, sink)
}

/** The most recently used idle connection that is still fresh, or a stream of an open session; null if there is none. */
export function takeIdle(target: TargetState, now: number): Upstream | null {
  if (target.backend === 'h2c') return Http2Upstream.take(target)
  for (;;) {
    const connection = target.idle.pop()
    if (connection === undefined) return null
    if (connection instanceof UpstreamConnection && connection.isFresh(now)) return connection
    connection.retire()
  }
}
