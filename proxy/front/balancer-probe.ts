import type { DataPlaneLimits } from '../../src/contracts/routing.ts'
import type { RequestHead } from '../http1/request-head.ts'

/** Is it an outer balancer's question whether this proxy is there? */
export function isBalancerProbe({ method, target }: RequestHead, { balancerHealthPath }: DataPlaneLimits): boolean {
  // A table of an earlier version has no such path.
  if (balancerHealthPath == null || (method !== 'GET' && method !== 'HEAD')) return false
  return target === balancerHealthPath || target.startsWith(`${balancerHealthPath}?`)
}
