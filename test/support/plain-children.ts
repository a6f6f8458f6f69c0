// Loaded before each test: what a test starts is started as users start it. The runner has every Node process below it
// load what notes files for a coverage that is off, which cost each half a second of CPU.
const SINGLETON = Symbol.for('process-on-spawn@*:singletonId')

const state: unknown = Reflect.get(globalThis, SINGLETON)
if (isListened(state)) state.listeners.length = 0
delete process.env['NODE_OPTIONS']

function isListened(value: unknown): value is { listeners: unknown[] } {
  return typeof value === 'object' && value !== null && 'listeners' in value && Array.isArray(value.listeners)
}
