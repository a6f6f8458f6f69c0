import { SLOTS } from '../../model/slot.ts'
import { OneOf } from './shape.ts'

export const SlotName = OneOf(SLOTS)
