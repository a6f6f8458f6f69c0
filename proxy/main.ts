import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { MAX_SOCKET_PATH } from '../src/contracts/link.ts'
import { VipswapError, errorMessage } from '../src/core/errors.ts'
import { lockFile } from '../src/core/lock-file.ts'
import { createLogger } from '../src/core/logger.ts'
import { onShutdown } from '../src/core/shutdown.ts'
import { Holder } from './holder/holder.ts'
import { StopFile } from './holder/stop-file.ts'

const STOP_POLL_MS = 250

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    run: { type: 'string' },
    id: { type: 'string', default: 'proxy-0' },
    workers: { type: 'string', default: '1' },
  },
})
const log = createLogger('proxy')
const workers = Number(values.workers)
const usage = 'usage: main.js --data DIR --run DIR [--id NAME] [--workers N]'

if (values.data === undefined || values.run === undefined || !Number.isInteger(workers) || workers < 1) {
  log.fatal(usage)
  process.exit(2)
}
if (Buffer.byteLength(join(values.run, 'controller.sock')) > MAX_SOCKET_PATH) {
  log.fatal(`the run folder's path is too long for a socket in it (at most ${MAX_SOCKET_PATH} bytes)`)
  process.exit(2)
}

const lock = join(values.data, 'proxy', values.id, 'proxy.lock')
try {
  const unlock = await lockFile(lock, `proxy ${values.id}`)
  process.on('exit', unlock)
} catch (error) {
  if (error instanceof VipswapError) {
    log.fatal(error.message)
    process.exit(1)
  }
  // A full disk must not keep traffic waiting.
  log.error({ error: errorMessage(error) }, 'no lock could be taken; going on without')
}

const holder = new Holder({ data: values.data, run: values.run, id: values.id, workers, log })
const begin = onShutdown(() => holder.stop(), { deadlineMs: 15_000, log })

const stopFile = new StopFile(values.run, values.data)
const poll = setInterval(() => {
  if (!stopFile.isMine) return
  clearInterval(poll)
  begin('stop file')
}, STOP_POLL_MS)
poll.unref()

holder.start()
