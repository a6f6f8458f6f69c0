/** What who calls may do, from least to most; each may do what those before it may. docs/security.md says what that is. */
export const ACCESS_ROLES = ['viewer', 'operator', 'admin'] as const
export type AccessRole = (typeof ACCESS_ROLES)[number]

/** May who has one role do what needs the other? */
export function covers(has: AccessRole, needs: AccessRole): boolean {
  return ACCESS_ROLES.indexOf(has) >= ACCESS_ROLES.indexOf(needs)
}

export function isAccessRole(text: string): text is AccessRole {
  return (ACCESS_ROLES as readonly string[]).includes(text)
}
