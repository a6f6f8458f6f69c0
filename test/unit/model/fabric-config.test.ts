import t from 'tap'
import { DEFAULT_LIMITS, DEFAULT_POLICY } from '../../../src/contracts/routing.ts'
import { DEFAULT_FABRIC_CONFIG, loadFabricConfig } from '../../../src/model/load-fabric-config.ts'

const load = (text: string, files: Record<string, string> = {}) =>
  loadFabricConfig('vipswap.yaml', text, path => files[path] ?? null)

function messagesOf(text: string): string[] {
  const result = load(text)
  return 'faults' in result ? result.faults.map(fault => fault.message) : []
}

t.test('every field is optional', async t => {
  t.strictSame(load('# nothing yet\n'), { config: DEFAULT_FABRIC_CONFIG, warnings: [] })
  t.strictSame(load('{}'), { config: DEFAULT_FABRIC_CONFIG, warnings: [] })
  t.strictSame(DEFAULT_FABRIC_CONFIG.limits, DEFAULT_LIMITS, "the data plane's own defaults are the same")
  t.match(DEFAULT_FABRIC_CONFIG, {
    admin: { host: '127.0.0.1', port: 9090, tokenFile: null, tls: null, audit: { maxBytes: 16 * 1024 ** 2, keep: 10 } },
    links: { listen: null, certificateLifeMs: 21 * 86_400_000 },
    workers: 1,
    vips: null,
    services: {},
    portRange: { from: 20_000, to: 29_999 },
    packages: { maxBytes: 1024 ** 3, maxFiles: 50_000, keep: 10 },
    quota: null,
    endpointDefaults: { maxBodyBytes: null, ejection: DEFAULT_POLICY.ejection },
  })
})

t.test('what is written is taken', async t => {
  const result = load(
    `admin: { host: 0.0.0.0, port: 0, tokenFile: /etc/vipswap/token, audit: { maxSize: 1MiB, keep: 3 }, tls: { cert: c.pem, key: k.pem, clientCa: ca.pem, clients: { Jo Do: viewer } } }
vips: { production: 10.0.0.5, staging: 127.0.0.1:+1000 }
services:
  shop: { vips: { production: "[::1]", staging: "[::1]:+7" }, hostNames: { production: Shop.example.org } }
limits: { holdTimeout: 5s, holdBytes: 1MiB, maxHeaders: 20, maxBody: 10MiB, tunnelIdleTimeout: 2h }
ejection: { failures: 3 }
maintenancePage: pages/Sorry.HTML
trustedProxies: [10.0.0.0/8, "::1"]
exposeInstance: true
sizes: { small: { cores: 0.5, memory: 256MiB } }
quota: { cores: 20 }
nodeTimeout: 1m
accessLog: json
`,
    { 'pages/Sorry.HTML': '<p>Sorry' },
  )
  t.match(result, {
    config: {
      admin: {
        host: '0.0.0.0',
        port: 0,
        tokenFile: '/etc/vipswap/token',
        tls: { cert: 'c.pem', key: 'k.pem', clientCa: 'ca.pem', roles: { 'Jo Do': 'viewer' } },
        audit: { maxBytes: 1024 ** 2, keep: 3 },
      },
      vips: { production: { host: '10.0.0.5', portOffset: 0 }, staging: { host: '127.0.0.1', portOffset: 1000 } },
      services: {
        shop: {
          vips: { production: { host: '::1', portOffset: 0 }, staging: { host: '::1', portOffset: 7 } },
          hostNames: { production: 'shop.example.org' },
        },
      },
      limits: {
        holdTimeoutMs: 5000,
        holdBytes: 1024 * 1024,
        maxHeaders: 20,
        tunnelIdleTimeoutMs: 7_200_000,
        maintenancePage: { contentType: 'text/html; charset=utf-8', body: '<p>Sorry' },
        trustedProxies: ['10.0.0.0/8', '::1'],
        exposeInstance: true,
        accessLog: 'json',
      },
      sizes: { small: { cores: 0.5, memoryBytes: 256 * 1024 * 1024 } },
      quota: { cores: 20 },
      nodeTimeoutMs: 60_000,
      endpointDefaults: {
        maxBodyBytes: 10 * 1024 * 1024,
        ejection: { failures: 3, baseMs: 5000, maxShare: 0.5 },
      },
    },
  })
})

t.test('faults have their place and remedy', async t => {
  t.strictSame(
    messagesOf(`admin: { prt: 9090 }
vips: { production: localhost, staging: 999.0.0.1 }
trustedProxies: [10.0.0.0/33, everyone]
portRange: { from: 30000 }
limits: { holdTimeout: 30 }
worker: 2
`),
    [
      'vipswap.yaml:1:10 admin.prt: found an unknown key "prt"; write port',
      'vipswap.yaml:2:21 vips.production: found "localhost"; write an IP address such as 10.0.0.5, 127.0.0.1:+1000 or [fd00::5]',
      'vipswap.yaml:2:41 vips.staging: found "999.0.0.1"; write an IP address such as 10.0.0.5, 127.0.0.1:+1000 or [fd00::5]',
      'vipswap.yaml:3:18 trustedProxies.0: found "10.0.0.0/33"; write an address or a network such as 10.0.0.0/8',
      'vipswap.yaml:3:31 trustedProxies.1: found "everyone"; write an address or a network such as 10.0.0.0/8',
      'vipswap.yaml:4:20 portRange.from: found 30000, which is above 29999; write the lower port here, the higher in to',
      'vipswap.yaml:5:24 limits.holdTimeout: found 30; write a duration such as 500ms, 30s, 5m or 1h30m',
      'vipswap.yaml:6:1 worker: found an unknown key "worker"; write workers',
    ],
  )
})

t.test('access log, ejection and maintenance page', async t => {
  const limitsOf = (text: string, files?: Record<string, string>) => {
    const result = load(text, files)
    if (!('config' in result)) throw new Error(JSON.stringify(result.faults))
    return result.config
  }
  t.equal(limitsOf('accessLog: false').limits.accessLog, null)
  t.equal(limitsOf('accessLog: json').limits.accessLog, 'json')
  t.equal(limitsOf('accessLog: common').limits.accessLog, 'common')
  t.equal(limitsOf('ejection: false').endpointDefaults.ejection, null)
  t.match(limitsOf('maintenancePage: ./a.txt', { './a.txt': 'back soon' }).limits.maintenancePage, {
    contentType: 'text/plain; charset=utf-8',
    body: 'back soon',
  })
  const files = { 'big.html': 'ü'.repeat(32 * 1024 + 1), 'a.md': '' }
  for (const [text, message] of [
    [
      'maintenancePage: gone.html',
      /1:18 maintenancePage: found "gone.html", which cannot be read; write a file that is/,
    ],
    ['maintenancePage: big.html', /found "big.html", which has 65538 bytes; write a page of at most 64 KiB/],
    ['maintenancePage: a.md', /found "a.md"; write a file that ends in .html, .htm or .txt/],
    ['accessLog: jsn', /1:12 accessLog: found "jsn"; write json \(one of false, true, json, common\)/],
    ['ejection: 5', /ejection: found 5; write false or a mapping with any of failures, base, maxShare/],
    ['ejection: { maxShare: 2 }', /ejection.maxShare: found 2; write a number from 0 to 1/],
  ] as const) {
    const result = load(text, files)
    t.match('faults' in result ? result.faults.map(fault => fault.message) : [], [message])
  }
})
