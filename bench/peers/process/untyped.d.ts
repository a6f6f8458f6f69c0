// http-proxy 1.18.1 comes without types; what is used here is as in http-proxy-3.
declare module 'http-proxy-1' {
  import type { createProxyServer } from 'http-proxy'

  const httpProxy: { createProxyServer: typeof createProxyServer }
  // oxlint-disable-next-line import/no-default-export -- the package is CommonJS
  export default httpProxy
}
