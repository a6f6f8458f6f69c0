import { Duplex } from 'node:stream'
import { connect } from 'node:tls'

/** The first message of a real client that asks for `servername` ('' for none), with its record header. */
export async function clientHello(servername: string): Promise<Buffer> {
  const chunks: Buffer[] = []
  const wire = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk)
      done()
    },
  })
  const client = connect({ socket: wire, servername, ALPNProtocols: ['h2', 'http/1.1'] })
  client.on('error', () => {})
  await new Promise(resolve => {
    setImmediate(resolve)
  })
  client.destroy()
  return Buffer.concat(chunks)
}
