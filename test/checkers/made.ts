import type { EventLine, InstanceLine, OperationLine, RequestLine } from '../system/faults/history/line.ts'
import type { CallLine, EndedLine, NotedLine } from './lines.ts'

// Lines as tests make them: what does not matter has a usual value.

export function request(line: Partial<RequestLine> & { start: number; end: number }): RequestLine {
  return {
    type: 'request',
    client: 'c',
    vip: 'production',
    method: 'GET',
    nonce: `n${line.start}`,
    head: line.end,
    outcome: 'ok',
    status: 200,
    deployment: 'd1',
    instance: 'web_IN_0',
    version: '1.0.0',
    ...line,
  }
}

export function operation(call: string, id: string, start: number, end: number): OperationLine {
  return { type: 'operation', call, id, start, accepted: start, end, outcome: 'Succeeded', code: null }
}

let events = 0

export function event(kind: string, at: number, message: string, rest: Partial<EventLine> = {}): EventLine {
  events += 1
  return { type: 'event', seq: events, at, kind, service: 'shop', message, ...rest }
}

export function instance(at: number, line: Partial<InstanceLine> = {}): InstanceLine {
  return {
    type: 'instance',
    at,
    slot: 'production',
    deployment: 'd1',
    id: 'web_IN_0',
    status: 'ReadyRole',
    routing: 'in',
    version: '1.0.0',
    upgradeDomain: 0,
    node: 'node-0',
    pid: 100,
    gone: false,
    ...line,
  }
}

export function noted(what: NotedLine['what'], at: number, line: Partial<NotedLine> = {}): NotedLine {
  return {
    type: 'noted',
    at,
    what,
    instance: 'web_IN_0',
    deployment: 'd1',
    version: '1.0.0',
    pid: 101,
    group: 100,
    open: 0,
    ...line,
  }
}

export function call(line: Partial<CallLine> & Pick<CallLine, 'call' | 'start' | 'end'>): CallLine {
  const nothing = { expect: null, code: null, operation: null, seen: null }
  const outcome = line.seen != null ? 'seen' : line.code != null ? 'refused' : 'accepted'
  return { type: 'call', round: 1, client: 'a', outcome, ...nothing, ...line }
}

export function ended(
  operation: string,
  start: number,
  end: number,
  outcome = 'Succeeded',
  deployment: string | null = null,
): EndedLine {
  return { type: 'ended', round: 1, operation, start, end, outcome, deployment }
}
