import t from 'tap'
import { Sending } from '../../../proxy/connections/sending.ts'

/** A channel that has sent nothing until told so. */
class Channel {
  connected = true
  readonly sent: number[] = []
  readonly #waiting: (() => void)[] = []

  send({ number }: { number: number }, _handle: undefined, _options: object, sent: () => void): boolean {
    this.sent.push(number)
    this.#waiting.push(sent)
    return true
  }

  received(): void {
    this.#waiting.shift()?.()
  }
}

function sending(count: number) {
  const channel = new Channel()
  const closed: number[] = []
  const all = new Sending<{ number: number }>(channel)
  for (let number = 0; number < count; number++) all.give({ number }, { close: () => closed.push(number) })
  return { channel, closed, all }
}

void t.test('few are on their way at once, in order, however many there are', async t => {
  const { channel, closed, all } = sending(6000)
  t.equal(channel.sent.length, 16)
  t.same(closed, [])
  let isOver = false
  const none = all.none().then(() => {
    isOver = true
  })
  for (let number = 0; number < 5999; number++) {
    channel.received()
    if (channel.sent.length - closed.length > 16) t.fail(`${channel.sent.length - closed.length} on their way`)
  }
  await Promise.resolve()
  t.equal(isOver, false)
  channel.received()
  await none
  const numbers = Array.from({ length: 6000 }, (_, number) => number)
  t.same(channel.sent, numbers)
  t.same(closed, numbers)
  await all.none()
})

void t.test('there is room for another when one was received', async t => {
  const { channel, all } = sending(15)
  t.equal(all.room(), null)
  all.give({ number: 15 }, { close: () => {} })
  const room = all.room()
  t.not(room, null)
  channel.received()
  await room
  t.equal(all.room(), null)
})

void t.test('when the channel is closed all handles are closed, each once', async t => {
  const { channel, closed, all } = sending(40)
  channel.received()
  channel.connected = false
  all.lost()
  channel.received()
  t.same(
    closed.toSorted((a, b) => a - b),
    Array.from({ length: 40 }, (_, number) => number),
  )
  await all.none()
  all.give({ number: 40 }, { close: () => closed.push(40) })
  t.equal(closed.at(-1), 40)
})
