import { Type } from 'typebox'
import { NodeView } from '../../contracts/api/node.ts'
import { GcAnswer, PackageAnswer } from '../../contracts/api/package.ts'
import { command, listOf, reading, type Call } from './call.ts'
import { DIGEST, NODE } from './examples.ts'

export const ADD_PACKAGE: Call = {
  id: 'addPackage',
  tag: 'packages',
  summary: 'Upload a package: a .tar.gz or .zip with service.yaml at its root.',
  answers: {
    201: { description: 'Taken.', schema: PackageAnswer },
    200: { description: 'The same content was here already.', schema: PackageAnswer },
  },
  problems: [
    'signature_required',
    'signature_invalid',
    'invalid_package',
    'invalid_definition',
    'invalid_configuration',
    'package_too_large',
    'unsupported_media_type',
    'cancelled',
  ],
  headers: { 'Vipswap-Signature': 'The text of a .minisig file (`vipswap sign`), in base64.' },
  bodyTypes: ['application/gzip', 'application/zip'],
  example: { digest: DIGEST, name: 'guestbook', version: '1.0.0', warnings: [] },
}

export const COLLECT = reading({
  id: 'collectPackages',
  tag: 'packages',
  summary: 'Remove packages that nothing refers to.',
  schema: GcAnswer,
  example: { removed: [DIGEST] },
})

export const LIST_NODES = reading({
  id: 'listNodes',
  tag: 'nodes',
  summary: 'The nodes.',
  schema: listOf('nodes', NodeView),
  example: { nodes: [NODE] },
})

export const DRAIN_NODE = command({
  id: 'drainNode',
  tag: 'nodes',
  summary: 'Move all instances off a node, and place nothing new on it.',
  problems: ['node_not_found', 'no_nodes', 'nothing_to_do', 'no_room'],
})

export const UNDRAIN_NODE = command({
  id: 'undrainNode',
  tag: 'nodes',
  summary: 'Use a node again.',
  problems: ['node_not_found', 'nothing_to_do'],
})

export const HEALTHZ = reading({
  id: 'isAlive',
  tag: 'system',
  summary: 'The controller lives.',
  schema: Type.Object({ ok: Type.Boolean() }),
  example: { ok: true },
})

const Readiness = Type.Object({ ready: Type.Boolean(), reason: Type.String() })
export const READYZ: Call = {
  id: 'isReady',
  tag: 'system',
  summary: 'A proxy and an agent are connected.',
  answers: { 200: { description: 'Ready.', schema: Readiness }, 503: { description: 'Not ready.', schema: Readiness } },
  problems: [],
  example: { ready: true, reason: '1 proxy and 2 agents connected' },
}

export const METRICS: Call = {
  id: 'readMetrics',
  tag: 'system',
  summary: 'Metrics in the text format of Prometheus.',
  answers: {
    200: { description: 'docs/metrics.md.', schema: Type.String(), type: 'text/plain; version=0.0.4; charset=utf-8' },
  },
  problems: [],
  example: 'vipswap_peers_connected{kind="agent",component="controller"} 2\n',
}
