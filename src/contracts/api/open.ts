import { Type } from 'typebox'
import { Text, Time, type View } from './shape.ts'

export const OpenedInstance = Type.Object(
  {
    path: Text('Of its first page. It begins with a slash, holds the key and ends with a slash.'),
    expiresAt: Time(),
  },
  { title: 'OpenedInstance' },
)
export type OpenedInstance = View<typeof OpenedInstance>
