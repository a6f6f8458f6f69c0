import t from 'tap'
import { forwardedClientCertificate } from '../../../proxy/tls/client-certificate.ts'

const FINGERPRINT = Array.from({ length: 32 }, () => 'AB').join(':')

function told(subject: string, subjectAltName?: string): string {
  return forwardedClientCertificate({ fingerprint256: FINGERPRINT, subject, subjectAltName: subjectAltName ?? '' })
}

void t.test('hash, subject and names as Envoy writes them', t => {
  const hash = `Hash=${'ab'.repeat(32)}`
  t.equal(told('C=US\nO=Example\nCN=client'), `${hash};Subject="CN=client,O=Example,C=US"`)
  t.equal(
    told('CN=client', 'DNS:a.test, URI:spiffe://test/a, IP Address:10.0.0.1, DNS:b.test'),
    `${hash};Subject="CN=client";URI=spiffe://test/a;DNS=a.test;DNS=b.test`,
  )
  t.equal(told('CN=client', 'URI:"http://a/?x=1,2"'), `${hash};Subject="CN=client";URI="http://a/?x=1,2"`)
  t.end()
})

void t.test('no name can add a field, end its quotes or pass for two', t => {
  const texts = [
    told('CN=a\\"b', ''),
    told('CN=caf\u00e9\u0000\r'),
    told('CN=a', 'DNS:"a.test, DNS:admin.test"'),
    told('CN=a', 'URI:"http://a/\\";DNS=admin"'),
    told('CN=a', 'DNS:"a\\r\\nX-Evil: 1"'),
    told('CN=a', 'DNS:"unfinished, DNS:admin.test'),
    told('CN=a', `DNS:${'x'.repeat(5000)}, DNS:short.test`),
  ]
  for (const text of texts) {
    t.match(text, /^[\x20-\x7e]+$/)
    t.notMatch(text, /;DNS=admin(?:\.test)?(?:;|$)/)
  }
  t.match(texts[0], 'Subject="CN=a\\"b"')
  t.match(texts[1], 'Subject="CN=caf\\C3\\A9\\00\\0D"')
  t.match(texts[3], 'URI="http://a/\\";DNS=admin"')
  t.notMatch(texts[4], /DNS=/)
  t.ok((texts[6] ?? '').length < 5000)
  t.end()
})
