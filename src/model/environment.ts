/** `http-api` → `HTTP_API`: how a name appears in a variable such as PORT_HTTP_API or SETTING_HTTP_API. */
export function variableName(...parts: readonly string[]): string {
  return parts.map(part => part.toUpperCase().replaceAll('-', '_')).join('_')
}

/** Variables that every role process gets from us; a definition's `env` may not set them. */
export const RESERVED_VARIABLES: ReadonlySet<string> = new Set([
  'PORT',
  'HOST',
  'ROLE_NAME',
  'ROLE_INSTANCE_ID',
  'ROLE_INSTANCE_INDEX',
  'ROLE_VERSION',
  'UPGRADE_DOMAIN',
  'FAULT_DOMAIN',
  'DEPLOYMENT_ID',
  'SERVICE_NAME',
  'RoleRoot',
])
