import { Type } from 'typebox'
import { Count, Nullable, OneOf, Text, Time, type View } from './shape.ts'

/** Never the certificate's text, never its key. */
const CertificateView = Type.Object(
  {
    name: Text(),
    id: Text('SHA-256 of chain and key: tells whether it changed.'),
    names: Type.Array(Text()),
    notAfter: Time(),
    warning: Type.Optional(Text('It has expired, or will within 14 days.')),
  },
  { title: 'CertificateView' },
)

export const RoleView = Type.Object(
  {
    name: Text(),
    kind: OneOf(['web', 'worker']),
    version: Text(),
    size: Nullable(Type.String()),
    cores: Type.Number({ description: 'Of one instance, by its size.' }),
    instances: Count(),
    ready: Count(),
    endpoints: Type.Array(
      Type.Object({ name: Text(), protocol: Text(), port: Type.Integer(), internal: Type.Boolean() }),
    ),
    certificates: Type.Array(CertificateView),
  },
  { title: 'RoleView' },
)
export type RoleView = View<typeof RoleView>
