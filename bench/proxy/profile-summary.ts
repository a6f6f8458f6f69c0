/** What the inspector's `Profiler.stop` answers, as far as it is used here. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  }[]
  /** Node ids, one for each sample. */
  readonly samples: readonly number[]
  /** Microseconds from the sample before. */
  readonly timeDeltas: readonly number[]
}

export interface SelfTime {
  readonly name: string
  /** `proxy/http1/request-head.js:12`, or empty for what V8 and Node do natively. */
  readonly where: string
  readonly microseconds: number
  /** Of all time that was not idle. */
  readonly share: number
}

/** Self time by function, the largest first; a function called from many places is one. Idle time is left out. */
export function summariseProfile({ nodes, samples, timeDeltas }: CpuProfile): SelfTime[] {
  const keys = new Map(nodes.map(({ id, callFrame }) => [id, keyOf(callFrame)]))
  const times = new Map<string, number>()
  let busy = 0
  for (const [index, id] of samples.entries()) {
    const key = keys.get(id) ?? ''
    const time = timeDeltas[index] ?? 0
    if (key.startsWith('(idle)')) continue
    busy += time
    times.set(key, (times.get(key) ?? 0) + time)
  }
  return [...times]
    .toSorted(([, a], [, b]) => b - a)
    .map(([key, microseconds]) => {
      const [name = '', where = ''] = key.split('\n')
      return { name, where, microseconds, share: microseconds / busy }
    })
}

function keyOf({ functionName, url, lineNumber }: CpuProfile['nodes'][number]['callFrame']): string {
  const file = url.replace(/^.*\/dist\//, '')
  return `${functionName === '' ? '(anonymous)' : functionName}\n${file === '' ? '' : `${file}:${lineNumber + 1}`}`
}
