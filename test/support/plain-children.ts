// Loaded before each test: what tests start is started as users start it. The runner's own loader, which notes every
// file for a coverage that is off, cost each Node process half a second of CPU.
delete process.env['NODE_OPTIONS']
