import type { HealthState } from '../../model/states.ts'
import { isReady } from '../seen.ts'
import type { InstanceRecord } from '../state.ts'
import type { Observed } from '../observed.ts'
import { instanceKey } from '../keys.ts'

/**
 * What an instance's own state says of its health. Ready is Ok; what was ready and is not, or cannot become it, is Error;
 * what is on a planned way up or down is Warning, as is one whose node is silent: unknown is not gone. `unheard`: nothing
 * was said of it since the controller started, which no policy takes for an error.
 */
export function instanceHealth(
  observed: Observed,
  deployment: string,
  instance: Readonly<InstanceRecord>,
): { state: HealthState; description: string; unheard?: true } {
  // Not ours to run: what its prober last found is in the table.
  if (instance.node === '') {
    if (isReady(instance)) return { state: 'Ok', description: 'fronts what already runs' }
    if (instance.stage === 'serving') return { state: 'Error', description: 'was ready, does not answer its probe' }
    return { state: 'Warning', description: `${instance.stage}: fronts what already runs` }
  }
  const node = observed.nodes[instance.node]
  const seen = node?.instances[instanceKey(deployment, instance)]
  const said = seen === undefined ? '' : `${seen.state}${seen.detail === '' ? '' : `: ${seen.detail}`}`
  switch (instance.stage) {
    case 'planned':
    case 'draining':
    case 'retiring':
    case 'stopping':
    case 'stopped':
      return { state: 'Warning', description: `${instance.stage}, as planned` }
    case 'starting':
      if (instance.hopeless) return { state: 'Error', description: said }
      if (seen === undefined) return { state: 'Warning', description: 'starting', unheard: true }
      return seen.incarnation === instance.incarnation && seen.state === 'backoff'
        ? { state: 'Error', description: said }
        : { state: 'Warning', description: said }
    case 'serving':
      if (seen === undefined)
        return { state: 'Warning', description: 'not heard of since the controller started', unheard: true }
      if (!isReady(instance) || instance.hopeless) return { state: 'Error', description: `was ready, is ${said}` }
      return node?.online === true
        ? { state: 'Ok', description: 'ready' }
        : { state: 'Warning', description: `node ${instance.node} is not connected` }
  }
}
