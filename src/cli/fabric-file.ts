import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { VipswapError, systemCode } from '../core/errors.ts'
import type { FabricConfig } from '../model/fabric-config.ts'
import type { Fault } from '../model/fault.ts'
import { beside } from '../core/beside.ts'
import { DEFAULT_FABRIC_CONFIG, loadFabricConfig } from '../model/load-fabric-config.ts'

export function defaultFabric(): { config: FabricConfig; warnings: readonly Fault[] } {
  return { config: DEFAULT_FABRIC_CONFIG, warnings: [] }
}

/** Reads a `vipswap.yaml`. Throws `usage` where it cannot be read, `invalid_configuration` with every fault in it. */
export function readFabricFile(path: string): { config: FabricConfig; warnings: readonly Fault[] } {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new VipswapError('usage', `${path} cannot be read (${systemCode(error) ?? 'unknown'})`)
  }
  const loaded = loadFabricConfig(path, text, beside(path))
  if ('config' in loaded) return loaded
  const { faults } = loaded
  throw new VipswapError('invalid_configuration', faults.map(fault => fault.message).join('\n'), { faults })
}

/** Digest of what a `vipswap.yaml` says, defaults and files beside it included; of a faulty one it is none. */
export function fabricFileDigest(path: string): string {
  try {
    return createHash('sha256')
      .update(JSON.stringify(readFabricFile(path).config))
      .digest('hex')
  } catch {
    return 'none'
  }
}
