import httpProxy from 'http-proxy-1'
import { serveHttpProxy } from './http-proxy-server.ts'

serveHttpProxy(httpProxy.createProxyServer)
