import type { CertificateRef } from './certificate.ts'
import type { Configuration, ServiceDefinition } from './definition.ts'

/** An accepted package: immutable, named by the SHA-256 of its content. */
export interface Release {
  /** 64 lower-case hexadecimal digits. */
  readonly digest: string
  readonly definition: ServiceDefinition
  /** Per role: digest of its files and its definition. An upgrade touches only roles whose identity differs. */
  readonly identities: Readonly<Record<string, string>>
  /** The package's own service.config.yaml, if any. */
  readonly configuration: Configuration | null
  /** Per role and name: the certificates it brings. Their keys are kept apart. */
  readonly certificates: Readonly<Record<string, Readonly<Record<string, CertificateRef>>>>
  /** Per role and endpoint with `clientAuth`: PEM of the authorities. */
  readonly authorities: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** Texts of `.minisig` files over its digest, name and version (src/packages/trust.ts). Absent: none. */
  readonly signatures?: readonly string[]
  /** The trusted keys that signed it, by name, as the controller last judged. Absent: none. */
  readonly signedBy?: readonly string[]
  readonly bytes: number
  readonly files: number
}
