import type { Certificate } from '../../src/model/certificate.ts'
import type { Release } from '../../src/model/release.ts'
import { certificate, endpoint, makeRelease, role } from './releases.ts'

/** `floor`: of its four web instances so many must serve while others go down. */
function shop(
  version: string,
  unchanged: Record<string, string> = {},
  port = 8080,
  domains = 3,
  floor: number | null = null,
): Release {
  const roles = [
    role('web', {
      instances: 4,
      endpoints: [endpoint('http', port), endpoint('inner', 0, { internal: true })],
      settings: { colour: 'red', store: '' },
      slotSettings: { store: { production: 'live', staging: 'test' } },
      warmUp: [{ endpoint: 'http', path: '/', accept: [[200, 399]], timeoutMs: 1000 }],
      verify: [{ kind: 'short', endpoint: 'http', path: '/', accept: [[200, 399]], body: null }],
      capacityFloor: floor === null ? null : { unit: 'instances', value: floor },
    }),
    role('crunch', { kind: 'worker', endpoints: [], instances: 2, settings: { depth: '1' }, settingsReload: 'SIGHUP' }),
  ]
  return makeRelease('shop', version, roles, { unchanged, upgradeDomainCount: domains })
}

/** Without crunch, with a role of its own. */
function reshaped(): Release {
  const { definition } = shop('4.0.0')
  const { web } = definition.roles
  const extra = role('extra', { instances: 3, endpoints: [endpoint('side', 8090)] })
  return makeRelease('shop', '4.0.0', [...(web === undefined ? [] : [web]), extra], { upgradeDomainCount: 3 })
}

/** More and larger instances, other endpoints, another platform. */
function grown(): Release {
  const roles = [
    role('web', {
      instances: 5,
      size: 'big',
      endpoints: [endpoint('http', 8088), endpoint('inside', 0, { internal: true }), endpoint('more', 8080)],
      settings: { colour: 'red', shape: 'round' },
    }),
    role('crunch', { kind: 'worker', endpoints: [], instances: 1, settings: { depth: '1' } }),
  ]
  const platform = { version: '2', trustLevel: 'full' } as const
  return makeRelease('shop', '4.1.0', roles, { upgradeDomainCount: 3, platform })
}

/** What the packages of blog bring, and what its operator gives instead. */
export const CERTIFICATES = ['1.0.0', '1.1.0', '1.2.0-bad', '1.3.0-sick', 'given', 'renewed'].map(name =>
  certificate(name, ['blog.localhost']),
)

/** Over TLS, with a certificate of its own in each package. */
function blog(version: string): Release {
  const tls = endpoint('http', 0, { protocol: 'https', certificates: ['site'] })
  const web = role('web', {
    instances: 3,
    endpoints: [tls],
    certificates: { site: { cert: 'a', key: 'a' } },
    order: 'start-first',
  })
  return {
    ...makeRelease('blog', version, [web]),
    certificates: { web: { site: { id: certificate(version, []).id } } },
  }
}

/** The certificates that a text names by id. */
export function certificatesIn(text: unknown): Certificate[] {
  const written = JSON.stringify(text)
  return CERTIFICATES.filter(({ id }) => written.includes(id))
}

/**
 * Packages of the simulated fabric. Until healed `bad` crashes at its start, `hang` never gets ready, `flap` comes and goes,
 * `sick` is ready once and never again, and `lie` answers its probe and breaks every request.
 */
export const RELEASES: readonly Release[] = [
  shop('1.0.0'),
  shop('1.0.1', {}, 8080, 3, 2),
  shop('1.0.2', {}, 8080, 3, 3),
  shop('1.1.0', { crunch: '1.0.0' }),
  shop('1.2.0-bad'),
  shop('1.3.0-hang', { crunch: '1.0.0' }),
  shop('1.4.0-flap'),
  shop('1.5.0-lie', {}, 8080, 3, 2),
  shop('1.6.0-sick'),
  shop('2.0.0', {}, 9090),
  shop('3.0.0', {}, 8080, 4),
  reshaped(),
  grown(),
  blog('1.0.0'),
  blog('1.1.0'),
  blog('1.2.0-bad'),
  blog('1.3.0-sick'),
]

/** Versions to ask for, the usual ones more often. */
export const VERSIONS: Readonly<Record<'shop' | 'blog', readonly string[]>> = {
  shop: [
    ...Array<string>(3).fill('1.0.0'),
    ...Array<string>(3).fill('1.1.0'),
    '1.0.1',
    '1.0.1',
    '1.0.2',
    '1.2.0-bad',
    '1.3.0-hang',
    '1.4.0-flap',
    '1.5.0-lie',
    '1.6.0-sick',
    '1.6.0-sick',
    '2.0.0',
    '3.0.0',
    '4.0.0',
    '4.0.0',
    '4.1.0',
    '4.1.0',
  ],
  blog: ['1.0.0', '1.1.0', '1.0.0', '1.1.0', '1.2.0-bad', '1.3.0-sick'],
}
