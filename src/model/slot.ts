export type Slot = 'production' | 'staging'
export const SLOTS = ['production', 'staging'] as const satisfies readonly Slot[]
