import { Type } from 'typebox'
import { INSTANCE_STATUSES, MEMBERSHIPS } from '../../model/states.ts'
import { Count, Nullable, OneOf, Text, type View } from './shape.ts'

export const InstanceView = Type.Object(
  {
    id: Text('For example web_IN_0.'),
    role: Text(),
    version: Text(),
    status: OneOf(INSTANCE_STATUSES),
    upgradeDomain: Count(),
    faultDomain: Count(),
    node: Text(),
    routing: OneOf(MEMBERSHIPS, 'What the proxies do with it: chosen from, finishing what it has, or not there.'),
    inFlight: Count('Requests it is answering.'),
    restarts: Count(),
    pid: Nullable(Type.Integer()),
    detail: Text('Why it is in this status.'),
    drained: Type.Boolean({ description: 'An operator took it out of rotation.' }),
    localStorage: Type.Array(Type.Object({ name: Text(), bytes: Count(), sizeBytes: Count() }), {
      description: 'As last measured.',
    }),
  },
  { title: 'InstanceView' },
)
export type InstanceView = View<typeof InstanceView>
