import { Type } from 'typebox'
import { DeploymentView } from './deployment.ts'
import { OperationView } from './operation.ts'
import { Nullable, OneOf, Text, Time, type View } from './shape.ts'
import { SlotName } from './slot.ts'

export const VipView = Type.Object(
  {
    slot: SlotName,
    role: Text(),
    endpoint: Text(),
    protocol: OneOf(['http', 'https', 'tcp']),
    host: Text(),
    port: Nullable(Type.Integer(), 'null until the proxy has bound it.'),
    url: Nullable(Type.String(), 'For example http://127.0.0.1:8080.'),
    hostName: Text('Of the slot: it stays when deployments move.'),
    error: Nullable(Type.String(), 'Why it could not be bound.'),
    paused: Nullable(Type.Object({ until: Time() }), 'It holds arriving requests, at most until then.'),
  },
  { title: 'VipView' },
)
export type VipView = View<typeof VipView>

export const ServiceView = Type.Object(
  {
    name: Text(),
    slots: Type.Object({ production: Nullable(DeploymentView), staging: Nullable(DeploymentView) }),
    vips: Type.Array(VipView),
    operation: Nullable(OperationView, 'The one that runs.'),
    prepared: Nullable(
      Type.Object({ operation: Text() }),
      'A swap in two phases that waits to be committed or cancelled.',
    ),
  },
  { title: 'ServiceView' },
)
export type ServiceView = View<typeof ServiceView>
