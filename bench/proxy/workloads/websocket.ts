import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { parseWrk } from '../wrk.ts'
import { throughput } from './throughput.ts'

/** Messages of 64 bytes through 64 tunnels, each sent when the last has come back. */
export const websocket = throughput({
  name: 'websocket',
  title: 'WebSocket echo: 64 bytes, 64 connections',
  unit: 'message',
  need: 'websocket',
  targets: [],
  load: async ({ cores, native, options }, port) => {
    const args = [String(port), '64', String(options.seconds), '64']
    const { stdout } = await promisify(execFile)(...cores.load(native.websocket, args))
    return parseWrk(stdout)
  },
})
