import type { Context, Workload } from '../workload.ts'
import { runWrk, type LoadCount, type RequestShape } from '../wrk.ts'
import { throughput, type Throughput } from './throughput.ts'

const GET_55: RequestShape = { path: '/55', method: 'GET', bodyBytes: 0, headers: [] }

/** With the request line and `Host` about 650 bytes, as a browser sends to a site it knows. */
const BROWSER_HEADERS = [
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Safari/537.36',
  'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8',
  'Accept-Language: en-GB,en;q=0.9,de;q=0.8',
  'Accept-Encoding: gzip, deflate, br, zstd',
  'Cache-Control: max-age=0',
  'Referer: http://www.example.com/orders/list?page=2',
  'Cookie: session=4f1d0c62b7a94e1e8a5d3c9b7e6f2a10; theme=dark; consent=1',
  'Upgrade-Insecure-Requests: 1',
  'Sec-Fetch-Site: same-origin',
  'Sec-Fetch-Mode: navigate',
  'Sec-Fetch-Dest: document',
]

const SMALL_TARGETS = [
  { to: 'haproxy', atMost: 1 },
  { to: 'nginx', atMost: 1.15 },
  { to: 'http-proxy', atMost: 0.17 },
]

function wrk(
  request: RequestShape,
  connections: number,
  scheme = 'http',
): (context: Context, port: number) => Promise<LoadCount> {
  return async ({ cores, options }, port) =>
    runWrk(cores.load, `${scheme}://127.0.0.1:${port}`, request, connections, options.seconds)
}

function small(connections: number): Throughput {
  return {
    name: `small-${connections}`,
    title: `55-byte answers, ${connections} connections that stay`,
    unit: 'request',
    targets: connections === 64 ? SMALL_TARGETS : [],
    bare: connections === 64,
    load: wrk(GET_55, connections),
  }
}

const THROUGHPUTS: readonly Throughput[] = [
  small(16),
  small(64),
  small(256),
  {
    name: 'browser',
    title: 'the same at 64 with heads as browsers have: 650 bytes of request, 300 of answer',
    unit: 'request',
    targets: SMALL_TARGETS,
    bare: true,
    load: wrk({ ...GET_55, path: '/browser', headers: BROWSER_HEADERS }, 64),
  },
  {
    name: '10k',
    title: '10 KiB answers, 64 connections',
    unit: 'request',
    targets: [{ to: 'nginx', atMost: 1.15 }],
    load: wrk({ ...GET_55, path: '/10k' }, 64),
  },
  {
    name: '1m',
    title: '1 MiB answers, 16 connections; nginx and HAProxy with buffers of 128 KiB',
    unit: 'MiB',
    largeBodies: true,
    targets: [{ to: 'nginx', atMost: 1.3 }],
    load: wrk({ ...GET_55, path: '/1m' }, 16),
  },
  {
    name: 'post',
    title: 'POST of 64 KiB, 64 connections',
    unit: 'request',
    targets: [{ to: 'nginx', atMost: 1.3 }],
    load: wrk({ ...GET_55, path: '/post', method: 'POST', bodyBytes: 64 * 1024 }, 64),
  },
  {
    name: 'connect',
    title: 'a new connection for each request, 64 at a time',
    unit: 'request',
    need: 'connection-per-request',
    targets: [
      { to: 'nginx', atMost: 4 },
      { to: 'http-proxy', atMost: 0.6 },
    ],
    load: wrk({ ...GET_55, headers: ['Connection: close'] }, 64),
  },
  {
    name: 'tls',
    title: '55-byte answers over TLS, 64 connections that stay',
    unit: 'request',
    need: 'tls',
    targets: [{ to: 'nginx', atMost: 1.4 }],
    load: wrk(GET_55, 64, 'https'),
  },
]

/** Everything that wrk can ask for. */
export const HTTP_WORKLOADS: readonly Workload[] = THROUGHPUTS.map(throughput)
