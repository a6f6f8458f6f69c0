import type { Test } from 'tap'
import type { OperationView } from '../../../src/contracts/api/operation.ts'
import { probedServer } from './probed-server.ts'
import { smallPackage, type System } from './system.ts'

/** Everything that `--verify` can send, as the server of `probedServer` answers it. */
export const EVERY_KIND = `    verify:
      - { path: /work }
      - { path: /slow, kind: slow }
      - { path: /echo, kind: post, body: "one two" }
      - { path: /echo, kind: chunked, body: "three four" }
      - { path: /events, kind: sse }
      - { path: /socket, kind: websocket, body: hello }
`

/** A package of a role that says what `--verify` sends it. */
export function probedPackage(
  t: Test,
  version: string,
  verify: string,
  { server = probedServer(), instances = 2 }: { server?: string; instances?: number } = {},
): string {
  return smallPackage(t, { version, instances, server, extra: `${verify}    drainTimeout: 5s\n` })
}

/** The latest operation of a kind. */
export async function newest(system: System, kind: string): Promise<OperationView> {
  const found = (await system.client.operations({})).find(operation => operation.kind === kind)
  if (found === undefined) throw new Error(`no operation ${kind}`)
  return found
}

export async function versionAt(url: string): Promise<string | null> {
  return (await fetch(url)).headers.get('x-version')
}
