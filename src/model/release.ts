import type { ServiceDefinition } from './definition.ts'

/** An accepted package: immutable, named by the SHA-256 of its content. */
export interface Release {
  /** 64 lower-case hexadecimal digits. */
  readonly digest: string
  readonly definition: ServiceDefinition
  /** Per role: digest of its files and its definition. An upgrade touches only roles whose identity differs. */
  readonly identities: Readonly<Record<string, string>>
  /** The package's own service.config.yaml, if any. */
  readonly configuration: {
    readonly roles: Readonly<Record<string, { instances?: number; settings?: Readonly<Record<string, string>> }>>
  } | null
  readonly bytes: number
  readonly files: number
}
