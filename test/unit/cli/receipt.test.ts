import t from 'tap'
import { receiptText } from '../../../src/cli/print/receipt.ts'
import { FakeController } from '../../integration/admin/fake-controller.ts'

t.test('a row of a receipt says how long its requests were held at most, and by what they broke', async t => {
  const api = new FakeController()
  api.addService('guestbook')
  api.ending = 'Succeeded'
  const { operationId } = await api.submit({ kind: 'swap', service: 'guestbook' }, {})
  const receipt = api.receipt(operationId)
  const [row, ...others] = receipt?.traffic ?? []
  if (receipt === null || row === undefined) throw new Error('there is no receipt with rows')
  const plain = { ...row, held: 0, heldMaxMs: 0 }
  t.match(receiptText({ ...receipt, traffic: [plain] }), /1\.0\.0 +6 +6 +0 +0 +0 +0 +0 +0 /)
  const lossy = { ...row, held: 2, heldMaxMs: 120, broken: { timeout: 3, 'bad-response': 1 } }
  const text = receiptText({ ...receipt, traffic: [lossy, ...others] })
  t.match(text, /1\.0\.0 +6 +6 +0 +0 +0 +4 \(timeout 3, bad-response 1\) +2 \(120ms\) +0 /)
})
