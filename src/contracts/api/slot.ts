import { SLOTS } from '../../model/common.ts'
import { OneOf } from './shape.ts'

export const SlotName = OneOf(SLOTS)
