import type { ProcessRecord } from './state.ts'

export function roleKey(deployment: string, role: string): string {
  return `${deployment}/${role}`
}

/** Names a process and its folders towards agents: `d1/web_IN_0`, or `d1/web_IN_0.b` for its second lane. */
export function instanceKey(deployment: string, { id, lane }: Pick<ProcessRecord, 'id' | 'lane'>): string {
  return `${deployment}/${id}${lane === undefined ? '' : `.${lane}`}`
}

/** One start of one process, as the data plane counts it. */
export function targetKey(deployment: string, instance: Readonly<ProcessRecord>): string {
  return `${instanceKey(deployment, instance)}#${instance.incarnation}.${instance.published?.attempt ?? 0}`
}
