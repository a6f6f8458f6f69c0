import type { ConfigurationText } from '../contracts/api/bodies.ts'
import type { FabricConfig } from '../model/fabric-config.ts'
import type { Fault } from '../model/fault.ts'
import type { UpgradePolicySource } from '../model/upgrade-policy-schema.ts'
import type { PackageSource } from './package-source.ts'

// Schemas and archives are most of what a start of the command line would cost, and most verbs need none of them.

export async function readConfigurationFile(path: string): Promise<ConfigurationText> {
  return (await import('./configuration-file.ts')).readConfigurationFile(path)
}

export async function openPackage(path: string): Promise<PackageSource> {
  return (await import('./package-source.ts')).openPackage(path)
}

export async function readPolicy(nameOrPath: string): Promise<UpgradePolicySource> {
  return (await import('./policy-file.ts')).readPolicy(nameOrPath)
}

/** Without a path: what counts where nothing is written. */
export async function readFabricFile(
  path: string | undefined,
): Promise<{ config: FabricConfig; warnings: readonly Fault[] }> {
  const { defaultFabric, readFabricFile: read } = await import('./fabric-file.ts')
  return path === undefined ? defaultFabric() : read(path)
}

/** What tells the content of a `vipswap.yaml` from another, now and later. */
export async function digestOfFabricFile(path: string): Promise<() => string> {
  const { fabricFileDigest } = await import('./fabric-file.ts')
  return () => fabricFileDigest(path)
}
