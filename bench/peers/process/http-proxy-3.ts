import { createProxyServer } from 'http-proxy'
import { serveHttpProxy } from './http-proxy-server.ts'

serveHttpProxy(createProxyServer)
