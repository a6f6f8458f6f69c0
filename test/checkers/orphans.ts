import type { ProcessesLine } from './lines.ts'
import type { History } from './recording.ts'
import type { Verdict, Violation } from './verdict.ts'

/**
 * While nothing is under way, every role process belongs to the process group of an instance that the controller lists, each
 * listed instance has its process, and none has two.
 */
export function checkOrphans(history: History): Verdict {
  const violations: Violation[] = []
  let judged = 0
  for (const line of history.lines('processes')) {
    judged += line.found.filter(({ deployment }) => deployment !== '').length
    for (const text of faultsOf(line)) violations.push({ at: line.at, text })
  }
  return { name: 'orphans', judged, of: 'processes', violations }
}

function* faultsOf({ listed, found }: ProcessesLine): Generator<string> {
  const running = new Map<string, Set<number>>()
  const groups = new Map(listed.flatMap(each => (each.pid === null ? [] : [[each.pid, each] as const])))
  for (const { pid, group, deployment, instance, ports, command } of found) {
    if (deployment === '') continue
    const name = `${deployment}/${instance}`
    const its = running.get(name) ?? new Set()
    running.set(name, its.add(group))
    const owner = groups.get(group)
    if (owner?.deployment === deployment && owner.instance === instance) continue
    const listens = ports.length === 0 ? '' : `, listening on ${ports.join(', ')}`
    yield `process ${pid} of ${name}${listens} is in no group that the controller lists: ${command}`
  }
  for (const { deployment, instance, pid } of listed) {
    const its = running.get(`${deployment}/${instance}`)
    if (pid !== null && its?.has(pid) !== true)
      yield `${deployment}/${instance} should be group ${pid}, which is not there`
    if ((its?.size ?? 0) > 1) yield `${deployment}/${instance} runs ${its?.size} times`
  }
}
