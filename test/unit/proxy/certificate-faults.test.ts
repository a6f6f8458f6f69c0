import t from 'tap'
import { CertificateFaults } from '../../../proxy/holder/certificate-faults.ts'
import { httpsListener, serverCertificate, withCertificates } from '../../integration/proxy/tls-support.ts'
import { table } from '../../integration/proxy/support.ts'

void t.test('a listener whose certificates cannot be used is told apart from the others', async t => {
  const [good, other] = await Promise.all([serverCertificate(['a.test']), serverCertificate(['b.test'])])
  const swapped = { ...other, inTable: { ...other.inTable, id: 'swapped', key: good.inTable.key } }
  const garbled = { ...other, inTable: { ...other.inTable, id: 'garbled', chain: 'no PEM' } }
  const missing = { ...other, inTable: { ...other.inTable, id: 'missing' } }
  const faults = new CertificateFaults()
  const of = (
    key: string,
    certificates: Parameters<typeof httpsListener>[0],
    ca: string | null = null,
  ): ReturnType<typeof httpsListener> =>
    httpsListener(certificates, { key, clientAuth: ca === null ? null : { ca, required: true } })
  const listeners = [
    of('good', [good]),
    of('swapped', [good, swapped]),
    of('garbled', [garbled]),
    of('missing', [missing]),
    of('authorities', [good], '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'),
    of('with authorities', [good], good.made.ca),
  ]
  for (let round = 0; round < 2; round++) {
    faults.follow(withCertificates(table([], { listeners }), [good, swapped, garbled]))
    t.equal(faults.of('good'), null)
    t.equal(faults.of('with authorities'), null)
    t.match(faults.of('swapped'), /^certificate swapped: .*key values mismatch/)
    t.match(faults.of('garbled'), /^certificate garbled: /)
    t.equal(faults.of('missing'), 'certificate missing: not in the table')
    t.match(faults.of('authorities'), /^authorities of authorities: /)
  }
  faults.follow(table([]))
  t.equal(faults.of('swapped'), null, 'gone with the listener')
})
