import { Type } from 'typebox'
import { Text, type View } from './shape.ts'

export const PackageAnswer = Type.Object(
  {
    digest: Text('SHA-256 of the content.'),
    name: Text(),
    version: Text(),
    warnings: Type.Array(Text()),
    signedBy: Type.Optional(Type.Array(Text(), { description: 'The trusted keys that signed the package, by name.' })),
  },
  { title: 'PackageAnswer' },
)
export type PackageAnswer = View<typeof PackageAnswer>

export const GcAnswer = Type.Object({ removed: Type.Array(Text(), { description: 'Digests.' }) }, { title: 'GcAnswer' })
export type GcAnswer = View<typeof GcAnswer>
