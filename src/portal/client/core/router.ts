import { createStore } from './store.ts'

export type Slot = 'production' | 'staging'

export type Route =
  | { readonly page: 'services' }
  | { readonly page: 'service'; readonly service: string; readonly instance: InstanceRoute | null }
  | { readonly page: 'operations'; readonly operation: string | null }
  | { readonly page: 'timeline' }
  | { readonly page: 'nodes' }
  | { readonly page: 'unknown' }

export interface InstanceRoute {
  readonly slot: Slot
  readonly id: string
}

/** Where the page is, by the address behind `#`. */
export const route = createStore<Route>(parseRoute(location.hash))

addEventListener('hashchange', () => route.set(parseRoute(location.hash)))

export const hrefs = {
  services: '#/',
  service: (service: string): string => `#/services/${encodeURIComponent(service)}`,
  instance: (service: string, slot: string, instance: string): string =>
    `#/services/${encodeURIComponent(service)}/${slot}/${encodeURIComponent(instance)}`,
  operations: '#/operations',
  operation: (id: string): string => `#/operations/${encodeURIComponent(id)}`,
  timeline: '#/timeline',
  nodes: '#/nodes',
}

export function go(href: string): void {
  location.hash = href
}

function parseRoute(hash: string): Route {
  const [page = '', first, second, third, ...more] = hash
    .replace(/^#?\/?/, '')
    .split('/')
    .map(decode)
  if (more.length > 0) return { page: 'unknown' }
  switch (page) {
    case '':
      return { page: 'services' }
    case 'services':
      if (first === undefined || first === '') return { page: 'services' }
      return { page: 'service', service: first, instance: instanceOf(second, third) }
    case 'operations':
      return { page: 'operations', operation: first ?? null }
    case 'timeline':
    case 'nodes':
      return { page }
    default:
      return { page: 'unknown' }
  }
}

function instanceOf(slot: string | undefined, id: string | undefined): InstanceRoute | null {
  return (slot === 'production' || slot === 'staging') && id !== undefined ? { slot, id } : null
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
