/** What a package may hold at most, counted unpacked. */
export interface PackageLimits {
  readonly maxBytes: number
  /** Files, folders and links together. */
  readonly maxFiles: number
}

export const DEFAULT_PACKAGE_LIMITS: PackageLimits = { maxBytes: 1024 ** 3, maxFiles: 50_000 }

/** For what was bounded already, when it came in. */
export const NO_LIMITS: PackageLimits = { maxBytes: Infinity, maxFiles: Infinity }
