import { Type } from 'typebox'
import { Text, Time, type View } from './shape.ts'

export const OpenedInstance = Type.Object(
  {
    url: Text('Of its first page; relative to the address that was asked. It holds the key, and ends with a slash.'),
    expiresAt: Time(),
  },
  { title: 'OpenedInstance' },
)
export type OpenedInstance = View<typeof OpenedInstance>
